import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, cp, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import express from 'express'
import { AccessToken } from 'livekit-server-sdk'
import { v7 as uuidv7 } from 'uuid'
import { createDb, createPool, type Db } from '../src/db/connect.ts'
import { startEmbeddedPostgres } from '../src/db/embedded.ts'
import { migrate } from '../src/db/migrate.ts'
import { createLog } from '../src/log.ts'
import { makeCaptureMaterial, MINUTES } from './capture-material.ts'
import { median, ms, p95, repeat, say, timed } from './measure.ts'
import { usualPipeline } from './usual-pipeline.ts'

/*
 * `node bench/capture.ts [data path]`: what a capture of 1, 5 and 10 minutes of 1080p60
 * costs, beside copying the same bytes and beside the usual pipeline. The range has
 * landed: the wait for the last segment of a live press is not in it.
 */

const PRESSES = 20
const KEY = 'bench'
const SECRET = 'a-secret-that-only-this-bench-knows'

const log = createLog({ level: 'error', readable: true })
const kept = process.argv[2] ?? join(tmpdir(), 'livekit-replay-bench')
const segments = await makeCaptureMaterial(join(kept, 'segments'))
const directory = await mkdtemp(join(tmpdir(), 'livekit-replay-bench-'))
await chmod(directory, 0o755)
const postgres = await startEmbeddedPostgres(join(directory, 'postgres'), log)
const db = createDb(createPool(postgres.connectionString, log))
await migrate(db, log)
const session = await addSession(db)
const { child, url } = await startServiceProcess()
const token = await tokenOf()

try {
  await cp(segments, join(directory, 'landing'), { recursive: true })
  await rename(join(directory, 'landing'), join(directory, 'buffer', session.id))
  await until(async () => (await call(`/v1/sessions/${session.id}`)).coverage.coveredSeconds > MINUTES * 60 - 1)
  say('', 'median', 'p95')
  say('service, memory after landing: now / peak', ...(await memory()))
  await measureDownloads()
  say('service, memory after downloads: now / peak', ...(await memory()))
  for (const minutes of [1, 5, 10]) await measureCapture(minutes)
  say('service, memory after captures: now / peak', ...(await memory()))
} finally {
  child.send('stop')
  await once(child, 'exit')
  await db.destroy()
  await postgres.stop()
  await rm(directory, { recursive: true, force: true })
}

async function measureCapture(minutes: number): Promise<void> {
  const ready: number[] = []
  const playable: number[] = []
  const rest: number[] = []
  const copied: number[] = []
  const synced: number[] = []
  let usual = NaN
  for (let n = 0; n < PRESSES; n += 1) {
    // Each press a little later, so that no two are the same moment.
    const to = new Date(session.origin + MINUTES * 60_000 - 100 - n * 17)
    const from = new Date(Math.max(session.origin + 100, to.getTime() - minutes * 60_000))
    const pressed = performance.now()
    const clip = await call(`/v1/sessions/${session.id}/clips`, { from, to })
    ready.push(performance.now() - pressed)
    await (await fetch(clip.links.playlist)).text()
    playable.push(performance.now() - pressed)
    if (n >= 5) {
      await remove(clip.id)
      continue
    }
    const stored = await until(async () => {
      const found = await call(`/v1/clips/${clip.id}`)
      return found.stored && found
    }, 5)
    rest.push(performance.now() - pressed)
    const file = join(directory, 'replays', await storedPath(stored.fileId))
    copied.push(await timed(() => copyFile(file, join(directory, 'copy.mp4'))))
    synced.push(await timed(() => copyAndSync(file)))
    if (n === 0) usual = await timed(() => usualPipeline(segments, minutes, directory))
    await remove(clip.id)
  }
  say(`${minutes} min: press to ready`, ms(median(ready)), ms(p95(ready)))
  say(`${minutes} min: press to playable playlist`, ms(median(playable)), ms(p95(playable)))
  say(`${minutes} min: press to file at rest`, ms(median(rest)), '')
  say(`${minutes} min: cp / cp and fsync`, ms(median(copied)), ms(median(synced)))
  say(`${minutes} min: at rest : cp and fsync`, (median(rest) / median(synced)).toFixed(2), '')
  say(`${minutes} min: the usual pipeline`, ms(usual), `${(usual / median(ready)).toFixed(0)} x ready`)
}

async function measureDownloads(): Promise<void> {
  const to = new Date(session.origin + 300_000)
  const clip = await call(`/v1/sessions/${session.id}/clips`, { from: new Date(to.getTime() - 120_000), to })
  const virtual = median(await repeat(7, () => download(clip.links.file)))
  const stored = await until(async () => {
    const found = await call(`/v1/clips/${clip.id}`)
    return found.stored && found
  })
  const path = join(directory, 'replays', await storedPath(stored.fileId))
  const server = express()
    .use(express.static(join(path, '..')))
    .listen(0)
  await once(server, 'listening')
  const address = server.address()
  const plainUrl = `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}/${path.split('/').at(-1)}`
  const [ours, plain]: number[][] = [[], []]
  for (let n = 0; n < 7; n += 1) {
    ours?.push(await timed(() => download(stored.links.file)))
    plain?.push(await timed(() => download(plainUrl)))
  }
  const [atRest, beside] = [median(ours ?? []), median(plain ?? [])]
  say('download 2 min: at rest : static server', (atRest / beside).toFixed(2), `${ms(atRest)} : ${ms(beside)}`)
  say('download 2 min: before it was at rest', ms(virtual), '')
  const all = await timed(() => Promise.all(Array.from({ length: 50 }, () => download(stored.links.file))))
  say('50 downloads of 2 min at once', ms(all), `${((50 * stored.sizeBytes) / all / 1e3).toFixed(0)} MB/s`)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

async function download(link: string): Promise<void> {
  const { body } = await fetch(link)
  for await (const _ of body ?? []) void _
}

async function copyAndSync(file: string): Promise<void> {
  const copy = join(directory, 'copy.mp4')
  await copyFile(file, copy)
  const handle = await open(copy, 'r+')
  await handle.sync()
  await handle.close()
}

async function startServiceProcess(): Promise<{ child: ChildProcess; url: string }> {
  const service = fork(new URL('landing-service.ts', import.meta.url), {
    execArgv: ['--max-semi-space-size=2'],
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: postgres.connectionString,
      LIVEKIT_URL: 'http://127.0.0.1:10019',
      LIVEKIT_API_KEY: KEY,
      LIVEKIT_API_SECRET: SECRET,
      REPLAY_DATA_PATH: directory,
      REPLAY_MIN_FREE_BYTES: '0',
      REPLAY_CLEANUP_BUFFER_MINUTES: '300',
      REPLAY_CAPTURES_PER_MINUTE: '10000',
      PORT: '18642',
    },
  })
  await once(service, 'message')
  return { child: service, url: 'http://127.0.0.1:18642' }
}

/** A share that ended some minutes ago, whose buffer is in its grace. */
async function addSession(on: Db) {
  const id = uuidv7()
  const origin = Date.now() - (MINUTES + 2) * 60_000
  const ended = new Date(origin + MINUTES * 60_000)
  const instants = {
    created_at: new Date(origin),
    started_at: new Date(origin),
    ended_at: ended,
    share_ended_at: ended,
  }
  await on
    .insertInto('egress_sessions')
    .values({
      id,
      room: 'bench',
      user_id: 'alice',
      quality: '1080p',
      egress_type: 'participant',
      status: 'ended',
      clock_origin: new Date(origin),
      clock_source: 'measured',
      requested_by: 'webhook',
      ...instants,
      expires_at: new Date(Date.now() + 3_600_000),
    })
    .execute()
  const span = { session_id: id, track_sid: 'TR_bench', shared_from: new Date(origin - 1000), shared_to: ended }
  await on.insertInto('share_spans').values(span).execute()
  return { id, origin }
}

async function storedPath(fileId: string): Promise<string> {
  const { path } = await db.selectFrom('files').select('path').where('id', '=', fileId).executeTakeFirstOrThrow()
  return path
}

async function tokenOf(): Promise<string> {
  const access = new AccessToken(KEY, SECRET, { identity: 'alice' })
  access.addGrant({ room: 'bench', roomJoin: true })
  return access.toJwt()
}

async function call(path: string, body?: unknown) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const answer = await fetch(
    url + path,
    body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) },
  )
  const json = (await answer.json()) as any // oxlint-disable-line typescript/no-explicit-any -- whatever came
  if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(json)}`)
  return json
}

async function remove(id: string): Promise<void> {
  await fetch(`${url}/v1/clips/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })
}

async function until<T>(look: () => Promise<T | false>, everyMs = 50): Promise<T> {
  for (let tries = 0; tries < 60_000 / everyMs; tries += 1) {
    const seen = await look()
    if (seen) return seen
    await pause(everyMs)
  }
  throw new Error('not seen within a minute')
}

async function memory(): Promise<[string, string]> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
  const of = (field: string) => `${(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024).toFixed(0)} MB`
  return [of('VmRSS'), of('VmHWM')]
}
