import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
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
import { quantile } from './measure.ts'
import { readNpmStart } from './npm-start.ts'
import { between, usageOf } from './process-usage.ts'
import { GROWTH, growthRow, JUDGED, judged, report, round } from './report.ts'

/*
 * `node bench/landing.ts [Mbit/s = 1.5] [sessions …]`: how soon after its playlist a
 * segment's row is there, and what that costs the service, with 1, 10 and 100 sessions, and
 * with 6, 25 and 100 for its growth. Landings are seen by NOTIFY.
 */

const [mbit = 1.5, ...given] = process.argv.slice(2).map(Number)
const LOADS = given.length > 0 ? given : [1, 6, 10, 25, 100]
const GROWING = [6, 25, 100]

interface Landings {
  sessions: number
  /** Sorted. */
  latencies: number[]
  corePercent: number
  peakMb: number
  nowMb: number
  delayP99Ms: number
}

const log = createLog({ level: 'error', readable: true })
const directory = await mkdtemp(join(tmpdir(), 'livekit-replay-bench-'))
await chmod(directory, 0o755)
const postgres = await startEmbeddedPostgres(join(directory, 'postgres'), log)
// A LiveKit that is away: nothing is concluded from that.
const livekit = createServer((_, res) => res.writeHead(503).end()).listen(0)
const db = createDb(createPool(postgres.connectionString, log))
await migrate(db, log)
const material = await makeMaterial(join(directory, 'material'), mbit)

try {
  const runs: Landings[] = []
  for (const sessions of LOADS) runs.push(await measure(sessions))
  describe(runs)
} finally {
  await db.destroy()
  livekit.close()
  await postgres.stop()
  await rm(directory, { recursive: true, force: true })
}

/** In a fresh process of the service, with a disk of its own. */
async function measure(sessions: number): Promise<Landings> {
  await db.deleteFrom('segment_frames').execute()
  await db.deleteFrom('segments').execute()
  await db.deleteFrom('egress_sessions').execute()
  const ids = await addSessions(db, sessions)
  const dataPath = join(directory, `of-${sessions}`)
  await mkdir(dataPath)
  const service = await startServiceProcess(dataPath)
  const listener = new pg.Client({ connectionString: postgres.connectionString })
  const written = new Map<string, number>()
  const latencies: number[] = []
  listener.on('notification', ({ payload = '' }) => {
    const at = written.get(payload)
    if (at !== undefined) latencies.push(performance.now() - at)
    written.delete(payload)
  })
  await listener.connect()
  await listener.query('listen segment_landed')
  service.send('begin')
  const before = await usageOf(service.pid)
  const startedAt = performance.now()
  await Promise.all(
    ids.map(async (id, i) => {
      await pause((i * SEGMENT_MS) / ids.length)
      await startShare(join(dataPath, 'buffer', id), material, (at) => void written.set(id, at))
    }),
  )
  await pause(1000)
  const seconds = (performance.now() - startedAt) / 1000
  const used = between(before, await usageOf(service.pid))
  service.send('report')
  const [{ delayP99Ms }] = (await once(service, 'message')) as [{ delayP99Ms: number }]
  service.send('stop')
  await once(service, 'exit')
  await listener.end()
  await rm(dataPath, { recursive: true })
  const corePercent = (100 * used.cpuSeconds) / seconds
  return { sessions, latencies, corePercent, peakMb: used.peakMb, nowMb: used.nowMb, delayP99Ms }
}

async function startServiceProcess(dataPath: string): Promise<ChildProcess> {
  const address = livekit.address()
  const { execArgv, env } = readNpmStart()
  const child = fork(new URL('landing-service.ts', import.meta.url), {
    execArgv,
    env: {
      ...env,
      PATH: process.env['PATH'],
      DATABASE_URL: postgres.connectionString,
      LIVEKIT_URL: `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`,
      LIVEKIT_API_KEY: 'bench',
      LIVEKIT_API_SECRET: 'a-secret-that-only-this-bench-knows',
      REPLAY_DATA_PATH: dataPath,
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

function describe(runs: Landings[]): void {
  const header = ['sessions', 'landed', 'p50, ms', 'p95, ms', 'p99, ms', 'of one core', 'peak memory, MB']
  report(
    `Playlist written to row visible, segments of ${SEGMENT_MS / 1000} s at ${mbit} Mbit/s`,
    header,
    runs.map(({ sessions, latencies, corePercent, peakMb }) => [
      String(sessions),
      `${latencies.length} of ${sessions * SEGMENTS}`,
      ...[0.5, 0.95, 0.99].map((share) => round(quantile(latencies, share))),
      `${round(corePercent)} %`,
      round(peakMb),
    ]),
  )
  const most = runs.reduce((one, other) => (other.sessions > one.sessions ? other : one))
  const name = `${most.sessions} sessions`
  report('Landings, as promised', JUDGED, [
    judged(`${name}: playlist to row, p95`, quantile(most.latencies, 0.95), 50, 'ms'),
    judged(`${name}: service, of one core`, most.corePercent, 40, '%'),
    judged(`${name}: service, peak memory`, most.peakMb, 200, 'MB'),
    judged(`${name}: event loop delay, p99`, most.delayP99Ms, 20, 'ms'),
  ])
  const growing = runs.filter(({ sessions }) => GROWING.includes(sessions))
  if (growing.length < GROWING.length) return
  const value = (of: (run: Landings) => number) => growing.map(of)
  report('Growth with the sessions', GROWTH, [
    growthRow(
      'playlist to row, p50',
      GROWING,
      value(({ latencies }) => quantile(latencies, 0.5)),
      'ms',
    ),
    growthRow(
      'service, of one core',
      GROWING,
      value(({ corePercent }) => corePercent),
      '%',
    ),
  ])
}
