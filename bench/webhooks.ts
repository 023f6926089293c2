import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { startEmbeddedPostgres } from '../src/db/embedded.ts'
import { createLog } from '../src/log.ts'
import { quantile } from './measure.ts'
import { readNpmStart } from './npm-start.ts'
import { GROWTH, growthRow, JUDGED, judged, report, round } from './report.ts'
import { makeRequests, send, type Mix, type Sent } from './webhook-load.ts'

/*
 * `node bench/webhooks.ts [count = 10000]`: how many webhooks a second are verified,
 * deduplicated and committed, and how long each takes at a steady pace. The
 * service is a process as `npm start` makes it; Postgres, commits to disk and all, and
 * the load run on the same cores.
 */

/** Promised are 1000 a second of what a LiveKit tells, and a p99 under 100 ms at half of that. */
const LOADS = [
  { mix: 'a lively LiveKit', steadily: 500, part: 1 },
  { mix: 'only shares', steadily: 100, part: 0.25 },
] satisfies { mix: Mix; steadily: number; part: number }[]
const KEY = { apiKey: 'bench', apiSecret: 'a-secret-that-only-this-bench-knows' }
const count = Number(process.argv[2] ?? 10_000)

const directory = await mkdtemp(join(tmpdir(), 'livekit-replay-bench-'))
await chmod(directory, 0o755)
const log = createLog({ level: 'error', readable: true })
const postgres = await startEmbeddedPostgres(join(directory, 'postgres'), log)
// A LiveKit whose people have all left by the time that it is asked.
const livekit = createServer((req, res) => {
  const isGone = req.url?.endsWith('/GetParticipant') === true
  res.writeHead(isGone ? 404 : 200, { 'content-type': 'application/json' })
  res.end(isGone ? '{"code":"not_found","msg":"participant does not exist"}' : '{}')
})
const livekitPort = await portOf(livekit)
const free = createServer()
const port = await portOf(free)
free.close()
const service = startService()

try {
  await up()
  const rows: string[][] = []
  const promises: string[][] = []
  for (const { mix, steadily, part } of LOADS) {
    await send(port, await makeRequests(mix, 2000 * part, KEY, `w${mix.length}`), 64)
    const before = await cpuSeconds()
    const fast = await send(port, await makeRequests(mix, Math.round(count * part), KEY, `f${mix.length}`), 64)
    const cpu = (await cpuSeconds()) - before
    while ((await ask('select count(*) from graphile_worker.jobs')) > 0) await pause(500)
    const steady = await send(port, await makeRequests(mix, steadily * 10, KEY, `s${mix.length}`), 64, steadily)
    rows.push(describe(mix, fast, cpu, steady, steadily))
    if (mix !== LOADS[0]?.mix) continue
    const perSecond = fast.latenciesMs.length / fast.seconds
    promises.push([`${mix}, a second`, round(perSecond), 'at least 1000', perSecond >= 1000 ? 'yes' : 'NO'])
    promises.push(judged(`${mix}, ${steadily} a second: p99`, quantile(steady.latenciesMs, 0.99), 100, 'ms'))
  }
  const committed = await ask('select count(*) from webhook_events')
  const header = ['', 'a second', 'ms CPU each', 'then steadily', 'p50, ms', 'p99, ms', 'slowest, ms', 'not 200']
  report(`Webhooks verified and committed (${cpus().length} cores for all; ${committed} webhooks)`, header, rows)
  report('Webhooks, as promised', JUDGED, promises)
  await measureGrowth()
} finally {
  service.kill('SIGTERM')
  await once(service, 'exit')
  livekit.close()
  await postgres.stop()
  await rm(directory, { recursive: true, force: true })
}

function describe(mix: Mix, fast: Sent, cpu: number, steady: Sent, rate: number): string[] {
  return [
    mix,
    round(fast.latenciesMs.length / fast.seconds),
    round((cpu * 1000) / fast.latenciesMs.length),
    `${rate} a second`,
    round(quantile(steady.latenciesMs, 0.5)),
    round(quantile(steady.latenciesMs, 0.99)),
    round(steady.latenciesMs.at(-1) ?? NaN),
    String(fast.notOk + steady.notOk),
  ]
}

async function measureGrowth(): Promise<void> {
  const sizes = [16, 4, 1].map((part) => Math.round(count / part))
  const seconds: number[] = []
  for (const size of sizes) {
    const requests = await makeRequests(LOADS[0]?.mix ?? 'only shares', size, KEY, `g${size}`)
    seconds.push((await send(port, requests, 64)).seconds)
  }
  report('Growth with the webhooks', GROWTH, [growthRow('until all are committed', sizes, seconds, 's')])
}

function startService() {
  const { execArgv, env } = readNpmStart()
  return spawn(process.execPath, [...execArgv, new URL('../src/main.ts', import.meta.url).pathname], {
    cwd: directory,
    stdio: 'ignore',
    env: {
      ...env,
      PATH: process.env['PATH'],
      DATABASE_URL: postgres.connectionString,
      LIVEKIT_URL: `http://127.0.0.1:${livekitPort}`,
      LIVEKIT_API_KEY: KEY.apiKey,
      LIVEKIT_API_SECRET: KEY.apiSecret,
      REPLAY_DATA_PATH: join(directory, 'data'),
      PORT: String(port),
    },
  })
}

async function up(): Promise<void> {
  while (!(await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.ok) await pause(50)
}

async function portOf(server: ReturnType<typeof createServer>): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

/** Of the service's process, user and system (Linux). */
async function cpuSeconds(): Promise<number> {
  const stat = await readFile(`/proc/${service.pid}/stat`, 'utf8').catch(() => '')
  const [user = 0, system = 0] = stat.split(') ').at(-1)?.split(' ').slice(11, 13).map(Number) ?? []
  return (user + system) / 100
}

async function ask(question: string): Promise<number> {
  const client = new pg.Client({ connectionString: postgres.connectionString })
  await client.connect()
  const { rows } = await client.query<{ count: string }>(question)
  await client.end()
  return Number(rows[0]?.count)
}
