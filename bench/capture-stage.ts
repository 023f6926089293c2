import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdtemp, rename, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { AccessToken } from 'livekit-server-sdk'
import { v7 as uuidv7 } from 'uuid'
import { createDb, createPool, type Db } from '../src/db/connect.ts'
import { startEmbeddedPostgres } from '../src/db/embedded.ts'
import { migrate } from '../src/db/migrate.ts'
import type { ClipAnswer } from '../src/http/answers.ts'
import { createLog } from '../src/log.ts'
import { makeCaptureMaterial, MINUTES } from './capture-material.ts'
import { readNpmStart } from './npm-start.ts'

/*
 * A service, as `npm start` runs it, beside a share of ten minutes that has landed.
 */

const KEY = 'bench'
const SECRET = 'a-secret-that-only-this-bench-knows'

export interface Stage {
  directory: string
  /** As egress wrote them. */
  segments: string
  service: ChildProcess
  /** Wall clock of the share's first picture. */
  originMs: number
  capture: (from: Date, to: Date) => Promise<ClipAnswer>
  /** The clip when it is a file, and where that is. */
  untilStored: (id: string, everyMs?: number) => Promise<{ clip: ClipAnswer; file: string }>
  remove: (id: string) => Promise<void>
  stop: () => Promise<void>
}

export async function startStage(kept = join(tmpdir(), 'livekit-replay-bench')): Promise<Stage> {
  const log = createLog({ level: 'error', readable: true })
  const segments = await makeCaptureMaterial(join(kept, 'segments'))
  const directory = await mkdtemp(join(tmpdir(), 'livekit-replay-bench-'))
  await chmod(directory, 0o755)
  const postgres = await startEmbeddedPostgres(join(directory, 'postgres'), log)
  const db = createDb(createPool(postgres.connectionString, log))
  await migrate(db, log)
  const session = await addSession(db)
  const { service, url } = await startService(directory, postgres.connectionString)
  const call = createCall(url, await tokenOf())
  await cp(segments, join(directory, 'landing'), { recursive: true })
  await rename(join(directory, 'landing'), join(directory, 'buffer', session.id))
  await until(async () => {
    const { coverage } = await call<{ coverage: { coveredSeconds: number } }>('GET', `/v1/sessions/${session.id}`)
    return coverage.coveredSeconds > MINUTES * 60 - 1
  })
  return {
    directory,
    segments,
    service,
    originMs: session.originMs,
    capture: (from, to) => call<ClipAnswer>('POST', `/v1/sessions/${session.id}/clips`, { from, to }),
    untilStored: async (id, everyMs = 5) => {
      const clip = await until(async () => {
        const found = await call<ClipAnswer>('GET', `/v1/clips/${id}`)
        return found.stored && found
      }, everyMs)
      const fileId = clip.fileId ?? ''
      const { path } = await db.selectFrom('files').select('path').where('id', '=', fileId).executeTakeFirstOrThrow()
      return { clip, file: join(directory, 'replays', path) }
    },
    remove: async (id) => void (await call('DELETE', `/v1/clips/${id}`)),
    async stop() {
      service.send('stop')
      await once(service, 'exit')
      await db.destroy()
      await postgres.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function startService(directory: string, databaseUrl: string): Promise<{ service: ChildProcess; url: string }> {
  const port = await freePort()
  const { execArgv, env } = readNpmStart()
  const service = fork(new URL('landing-service.ts', import.meta.url), {
    execArgv,
    env: {
      ...env,
      PATH: process.env['PATH'],
      DATABASE_URL: databaseUrl,
      // Nobody: nothing is concluded from that.
      LIVEKIT_URL: 'http://127.0.0.1:10019',
      LIVEKIT_API_KEY: KEY,
      LIVEKIT_API_SECRET: SECRET,
      REPLAY_DATA_PATH: directory,
      REPLAY_MIN_FREE_BYTES: '0',
      REPLAY_CLEANUP_BUFFER_MINUTES: '300',
      REPLAY_CAPTURES_PER_MINUTE: '10000',
      PORT: String(port),
    },
  })
  await once(service, 'message')
  return { service, url: `http://127.0.0.1:${port}` }
}

/** A share that ended some minutes ago, whose buffer is in its grace. */
async function addSession(db: Db): Promise<{ id: string; originMs: number }> {
  const id = uuidv7()
  const originMs = Date.now() - (MINUTES + 2) * 60_000
  const [began, ended] = [new Date(originMs), new Date(originMs + MINUTES * 60_000)]
  await db
    .insertInto('egress_sessions')
    .values({
      id,
      room: 'bench',
      user_id: 'alice',
      quality: '1080p',
      egress_type: 'participant',
      status: 'ended',
      clock_origin: began,
      clock_source: 'measured',
      requested_by: 'webhook',
      created_at: began,
      started_at: began,
      ended_at: ended,
      share_ended_at: ended,
      expires_at: new Date(Date.now() + 3_600_000),
    })
    .execute()
  const span = { session_id: id, track_sid: 'TR_bench', shared_from: new Date(originMs - 1000), shared_to: ended }
  await db.insertInto('share_spans').values(span).execute()
  return { id, originMs }
}

async function tokenOf(): Promise<string> {
  const access = new AccessToken(KEY, SECRET, { identity: 'alice' })
  access.addGrant({ room: 'bench', roomJoin: true })
  return access.toJwt()
}

function createCall(url: string, token: string) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) }
    const answer = await fetch(url + path, init)
    const json = (await answer.json()) as T
    if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(json)}`)
    return json
  }
}

async function until<T>(look: () => Promise<T | false>, everyMs = 50): Promise<T> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await pause(everyMs)) {
    const seen = await look()
    if (seen) return seen
  }
  throw new Error('not seen within a minute')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port')
  return address.port
}
