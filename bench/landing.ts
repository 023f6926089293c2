import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { createDb, createPool } from '../src/db/connect.ts'
import { startEmbeddedPostgres } from '../src/db/embedded.ts'
import { migrate } from '../src/db/migrate.ts'
import { createLog } from '../src/log.ts'
import { addSessions, makeMaterial, startShare, SEGMENTS, SEGMENT_MS } from './landing-load.ts'

/*
 * `node bench/landing.ts [sessions = 100] [Mbit/s = 1.5]`: how soon after its playlist a
 * segment's row is there, and what that costs the service. Landings are seen by NOTIFY.
 */

const sessions = Number(process.argv[2] ?? 100)
const mbit = Number(process.argv[3] ?? 1.5)
const TICKS_PER_SECOND = 100

const log = createLog({ level: 'error', readable: true })
const directory = await mkdtemp(join(tmpdir(), 'livekit-replay-bench-'))
await chmod(directory, 0o755)
const postgres = await startEmbeddedPostgres(join(directory, 'postgres'), log)
// A LiveKit that is away: nothing is concluded from that.
const livekit = createServer((_, res) => res.writeHead(503).end()).listen(0)
const db = createDb(createPool(postgres.connectionString, log))
await migrate(db, log)
const ids = await addSessions(db, sessions)
const material = await makeMaterial(join(directory, 'material'), mbit)
const service = await startServiceProcess()
const listener = new pg.Client({ connectionString: postgres.connectionString })

const written = new Map<string, number>()
const latencies: number[] = []
listener.on('notification', ({ payload = '' }) => {
  const at = written.get(payload)
  if (at !== undefined) latencies.push(performance.now() - at)
  written.delete(payload)
})

try {
  await listener.connect()
  await listener.query('listen segment_landed')
  service.send('begin')
  const before = await usage(service)
  const startedAt = performance.now()
  const onWritten = (id: string, at: number) => written.set(id, at)
  await Promise.all(
    ids.map(async (id, i) => {
      await pause((i * SEGMENT_MS) / ids.length)
      await startShare(join(directory, 'buffer', id), material, (at) => onWritten(id, at))
    }),
  )
  await pause(1000)
  const seconds = (performance.now() - startedAt) / 1000
  await print(before, await usage(service), seconds)
} finally {
  service.send('stop')
  await once(service, 'exit')
  await listener.end()
  await db.destroy()
  livekit.close()
  await postgres.stop()
  await rm(directory, { recursive: true, force: true })
}

async function startServiceProcess(): Promise<ChildProcess> {
  const address = livekit.address()
  const child = fork(new URL('landing-service.ts', import.meta.url), {
    // As `npm start` has it.
    execArgv: ['--max-semi-space-size=2'],
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: postgres.connectionString,
      LIVEKIT_URL: `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`,
      LIVEKIT_API_KEY: 'bench',
      LIVEKIT_API_SECRET: 'a-secret-that-only-this-bench-knows',
      REPLAY_DATA_PATH: directory,
      REPLAY_MIN_FREE_BYTES: '0',
      PORT: '0',
    },
  })
  child.once('exit', (code) => {
    if (code !== 0) process.exit(1)
  })
  await once(child, 'message')
  return child
}

async function usage({ pid }: ChildProcess) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const peak = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024
  const now = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND, peak, now }
}

type Usage = Awaited<ReturnType<typeof usage>>

async function print(before: Usage, after: Usage, seconds: number): Promise<void> {
  service.send('report')
  const [{ delayP99Ms, delayMaxMs }] = (await once(service, 'message')) as [{ delayP99Ms: number; delayMaxMs: number }]
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.ceil(sorted.length * share) - 1] ?? NaN).toFixed(1)
  const rows: [string, string, string][] = [
    ['load', `${sessions} sessions at ${mbit} Mbit/s, D = ${SEGMENT_MS / 1000}, ${seconds.toFixed(0)} s`, ''],
    ['segments landed', `${latencies.length} of ${sessions * SEGMENTS}`, 'all'],
    ['playlist to row, p50 / p95 / p99 / max', `${at(0.5)} / ${at(0.95)} / ${at(0.99)} / ${at(1)} ms`, 'p95 < 50 ms'],
    ['service, of one core', `${((100 * (after.cpuSeconds - before.cpuSeconds)) / seconds).toFixed(0)} %`, '< 40 %'],
    [
      'service, memory at first / at the end / peak',
      `${before.now.toFixed(0)} / ${after.now.toFixed(0)} / ${after.peak.toFixed(0)} MB`,
      '< 200 MB',
    ],
    ['event loop delay, p99 / max', `${delayP99Ms.toFixed(1)} / ${delayMaxMs.toFixed(1)} ms`, 'p99 < 20 ms'],
  ]
  for (const [what, measured, target] of rows)
    process.stdout.write(`${what.padEnd(40)} ${measured.padEnd(48)} ${target}\n`)
}
