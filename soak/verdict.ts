import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { findHoles } from './excuses.ts'
import { download, untilClip } from './read-back.ts'
import { untilAnswered, type PressDeps, type Promised } from './presses.ts'
import type { Ground } from './ground.ts'
import type { Recorded } from './recorded.ts'
import type { Sources } from './sharers.ts'

/*
 * When all has come to rest: was anything lost that was promised?
 */

type Deps = PressDeps & { ground: Ground; recorded: Recorded; sources: Sources; endedAt: number }

/** Each promise, how much of it was looked at, and how much was broken. */
export type Verdict = {
  promise: string
  looked: number
  broken: number
}

export async function judge(deps: Deps): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  const check = async (promise: string, look: (broken: (what: string) => void) => Promise<number>) => {
    let broken = 0
    const looked = await look((what) => {
      broken += 1
      deps.broken(`${promise}: ${what}`)
    })
    verdicts.push({ promise, looked, broken })
  }
  await check('all comes to rest: sessions, egresses, jobs', (broken) => comeToRest(deps, broken))
  await check('what was shared was recorded', async (broken) => checkRecorded(deps, broken))
  await check('every segment can be read', async (broken) => {
    const sessions = [...deps.recorded.sessions]
    for (const [id, { unreadable }] of sessions) if (unreadable > 0) broken(`${unreadable} of session ${id}`)
    return sessions.length
  })
  await check('a promised clip is there: length, sha256', (broken) => checkClips(deps, broken))
  await check('a deleted clip is gone', (broken) => checkDeleted(deps, broken))
  await check('quotas are the sums of clips', (broken) => checkQuotas(deps, broken))
  await check('check-data finds nothing wrong', (broken) => checkData(deps.ground, broken))
  await check('nothing was logged that wants a person', async (broken) => {
    for (const [message, count] of deps.ground.errors) if (!EXPECTED.test(message)) broken(`${count} x ${message}`)
    return deps.ground.errors.size
  })
  return verdicts
}

/** A full disk wants a person, and here there was one. */
const EXPECTED = /^disk full|no space left on device/

/** An egress whose worker died while it started is asked to stop five times, half a minute apart. */
const REST_MS = 300_000

async function comeToRest({ ground, recorded }: Deps, broken: (what: string) => void): Promise<number> {
  let left: string[] = []
  for (const deadline = Date.now() + REST_MS; Date.now() < deadline; await pause(1000)) {
    await recorded.look()
    left = await listRestless(ground)
    if (left.length === 0) return 1
  }
  for (const what of left) broken(what)
  return 1
}

async function listRestless({ db, simulator }: Ground): Promise<string[]> {
  const sessions = await db
    .selectFrom('egress_sessions')
    .select(['id', 'status'])
    .where('status', 'not in', ['ended', 'failed'])
    .execute()
  const clips = await db
    .selectFrom('replay_clips')
    .select(['id', 'status'])
    .where('file_id', 'is', null)
    .where('status', '<>', 'failed')
    .execute()
  const egresses = simulator
    .egresses()
    .filter(({ status, dead }) => !dead && !/COMPLETE|FAILED|ABORTED|LIMIT/.test(status))
  const { rows: jobs } = await sql<{ task_identifier: string; last_error: string | null }>`
    select task_identifier, last_error from graphile_worker.jobs where run_at < now() + interval '1 minute'`.execute(db)
  return [
    ...sessions.map(({ id, status }) => `session ${id} is ${status}`),
    ...clips.map(({ id, status }) => `clip ${id} is ${status} and not at rest`),
    ...egresses.map(({ egressId, status }) => `egress ${egressId} is ${status}`),
    ...jobs.map((job) => `job ${job.task_identifier} is left: ${job.last_error ?? 'never failed'}`),
  ]
}

function checkRecorded({ sharers, recorded, trouble, endedAt }: Deps, broken: (what: string) => void): number {
  for (const sharer of sharers) {
    for (const hole of findHoles(sharer, recorded.rangesOf(sharer.identity), trouble.excuses, endedAt)) {
      const [from, to] = [new Date(hole.fromTicks).toISOString(), new Date(hole.toTicks).toISOString()]
      broken(`${sharer.identity} from ${from} to ${to}`)
    }
  }
  return sharers.reduce((sum, { spans }) => sum + spans.length, 0)
}

const livingOf = (promised: Promised[]) => promised.filter(({ deleted, clip }) => !deleted && clip?.status !== 'failed')

async function checkClips(deps: Deps, broken: (what: string) => void): Promise<number> {
  const living = livingOf(deps.presses.promised)
  for (const promised of living) {
    const clip = await untilClip(deps, promised, ({ stored }) => stored)
    const bytes = clip && (await download(deps, clip))
    if (!bytes) {
      broken(`clip ${promised.id} is not there`)
      continue
    }
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    if (bytes.length !== clip.sizeBytes) broken(`clip ${promised.id} has ${bytes.length} of ${clip.sizeBytes} bytes`)
    if (sha256 !== clip.sha256) broken(`clip ${promised.id} is not what its sha256 says`)
    if (promised.seen?.sha256 !== sha256) broken(`clip ${promised.id} is not what it was when it was ready`)
    promised.clip = clip
  }
  return living.length
}

async function checkDeleted(deps: Deps, broken: (what: string) => void): Promise<number> {
  const deleted = deps.presses.promised.filter((promised) => promised.deleted)
  for (const { id, token } of deleted) {
    const answer = await untilAnswered(deps, `/v1/clips/${id}`, { headers: { authorization: `Bearer ${token}` } })
    if (answer?.status !== 404) broken(`clip ${id} was answered with ${answer?.status}`)
  }
  return deleted.length
}

async function checkQuotas(deps: Deps, broken: (what: string) => void): Promise<number> {
  const living = livingOf(deps.presses.promised)
  const users = new Map(deps.presses.promised.map((promised) => [promised.sharer.identity, promised.token]))
  for (const [identity, token] of users) {
    const own = living.filter(({ sharer }) => sharer.identity === identity)
    const bytes = own.reduce((sum, { clip }) => sum + (clip?.sizeBytes ?? 0), 0)
    const answer = await untilAnswered(deps, '/v1/quota', { headers: { authorization: `Bearer ${token}` } })
    const usedBytes = answer?.ok ? ((await answer.json()) as { usedBytes: number }).usedBytes : NaN
    if (usedBytes !== bytes) broken(`${identity} has ${bytes} bytes, and is said to have ${usedBytes}`)
    const reserved = await deps.ground.db
      .selectFrom('user_quotas')
      .select('reserved_bytes')
      .where('user_id', '=', identity)
      .executeTakeFirst()
    if ((reserved?.reserved_bytes ?? 0) !== 0) broken(`${identity} has ${reserved?.reserved_bytes} bytes reserved`)
  }
  return users.size
}

async function checkData(ground: Ground, broken: (what: string) => void): Promise<number> {
  const file = new URL('../src/check-data.ts', import.meta.url).pathname
  const { code, said } = await new Promise<{ code: number | string; said: string }>((resolve) => {
    execFile(process.execPath, [file], { env: ground.environment() }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, said: stdout + stderr })
    })
  })
  if (code !== 0) broken(`it ended with ${code}\n${said}`)
  return 1
}
