import { sql, type RawBuilder } from 'kysely'
import type { Db } from '../db/connect.ts'
import { isOurId } from '../own-id.ts'

/** Every job there is, with its payload. `service.ts` gives each its function; one that is missing does not compile. */
export interface JobPayloads {
  /** Asks LiveKit for the egress of a session that is `starting`. */
  start_egress: { sessionId: string; tries?: number }
  /** Stops the egress of a session whose time has come, unless its share came back. */
  stop_egress: { sessionId: string; tries?: number }
  /** Stops an egress that writes under our path and is no session's. */
  stop_stray: { egressId: string }
  /** Ends a clip's wait for the press at its deadline: it is made of what has landed. */
  finish_clip: { clipId: string }
  /** Brings a ready clip to rest: the bytes that are served from segments become a file. */
  store_clip: { clipId: string }
  /** Makes the picture that stands for a clip. */
  make_poster: { clipId: string }
  /** Tells one of the operator's webhook URLs, named by its key, of an event. */
  send_webhook: { eventId: number; urlKey: string }
  /** Tells the people in a room of an event. */
  tell_room: { eventId: number }
  /** Deletes a buffer whose grace is over. */
  purge_session: { sessionId: string }
}

export type JobName = keyof JobPayloads

/** How often each is tried; pauses grow as e, e^2, e^3 … seconds (graphile-worker). */
export const MAX_ATTEMPTS: Record<JobName, number> = {
  start_egress: 25,
  stop_egress: 25,
  stop_stray: 25,
  finish_clip: 25,
  store_clip: 25,
  // Whoever asks for a poster that is not there makes it.
  make_poster: 3,
  // The last try is 28 hours after the first.
  send_webhook: 14,
  tell_room: 4,
  purge_session: 25,
}

/** An egress call can take half a minute, and a clip's deadline must not wait for it: each has its own queue. */
const QUEUE: Record<JobName, 'egress' | 'clips' | 'posters' | 'webhooks' | 'rooms'> = {
  start_egress: 'egress',
  stop_egress: 'egress',
  stop_stray: 'egress',
  finish_clip: 'clips',
  store_clip: 'clips',
  make_poster: 'posters',
  send_webhook: 'webhooks',
  tell_room: 'rooms',
  purge_session: 'egress',
}

/** They need the files of the session's buffer, so they are done by the node that has it. */
export const NODE_JOBS: readonly JobName[] = ['store_clip', 'make_poster', 'purge_session']

/** What a node's own jobs are called. */
export const jobOfNode = (name: JobName, node: string) => `${name}@${node}`

export interface EnqueueOptions {
  runAt?: Date
  /** From now on, whatever the database's clock says; instead of `runAt`. */
  inMs?: number
  /** A second job with this key replaces the first, as long as that one is not running. */
  key?: string
}

/**
 * Adds a job, within the caller's transaction if `db` is one. A session's egress jobs
 * run one at a time, on whichever instance, and so do those of its clips; webhooks do so
 * for each URL, whose key stands for the session. What needs files goes to the session's
 * node, if one has claimed it.
 */
export async function enqueue<N extends JobName>(
  db: Db,
  name: N,
  sessionId: string,
  payload: JobPayloads[N],
  options: EnqueueOptions = {},
): Promise<void> {
  await sql`select ${addJobs([jobSpec(name, sessionId, payload, options)])}`.execute(db)
}

/** The same as an SQL expression, for several jobs: each call of this function takes a millisecond or two. */
export function addJobs(specs: RawBuilder<unknown>[]): RawBuilder<unknown> {
  return sql`(select count(*) from graphile_worker.add_jobs(array[${sql.join(specs)}]))`
}

/** A job as `addJobs` takes it; see `enqueue`. */
export function jobSpec<N extends JobName>(
  name: N,
  sessionId: string,
  payload: JobPayloads[N],
  options: EnqueueOptions = {},
): RawBuilder<unknown> {
  const runAt =
    options.inMs === undefined
      ? sql`${options.runAt ?? null}::timestamptz`
      : sql`now() + make_interval(secs => ${options.inMs / 1000}::float8)`
  const isBound = NODE_JOBS.includes(name) && isOurId(sessionId)
  const identifier = isBound
    ? sql`coalesce((select ${jobOfNode(name, '')}::text || node from egress_sessions where id = ${sessionId}), ${name}::text)`
    : sql`${name}::text`
  return sql`row(
    ${identifier}, ${JSON.stringify(payload)}::json, ${`${QUEUE[name]}:${sessionId}`}::text, ${runAt},
    ${MAX_ATTEMPTS[name]}::smallint, ${options.key ?? null}::text, null, null
  )::graphile_worker.job_spec`
}

/** Takes back a job that has not begun. */
export async function dequeue(db: Db, key: string): Promise<void> {
  await sql`select graphile_worker.remove_job(${key})`.execute(db)
}

/** Whether a job with this key waits or runs, one that was given up not among them. */
export async function isEnqueued(db: Db, key: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from graphile_worker.jobs
    where key = ${key} and (attempts < max_attempts or locked_at is not null)`.execute(db)
  return rows.length > 0
}
