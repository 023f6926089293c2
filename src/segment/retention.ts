import { readdir, rm, unlink } from 'node:fs/promises'
import type { Now } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Db } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import { errorFields, type Log } from '../log.ts'
import { findSession, listUnpurgedSessions, lockSession, setSession } from '../session/session.repo.ts'
import { bufferPathOf } from './buffer-path.ts'
import { absent } from './land-segment.ts'
import { countSegments, setSegmentsDeleted } from './segment.repo.ts'

/*
 * What goes, and when.
 * - Order: the row is marked, then the file is unlinked. A marked row's file that is
 *   still there is found by name and unlinked again when its session is purged.
 * - A pinned segment stays, whatever is asked.
 * - A buffer ages while its share lives; once it ended it stays whole for its grace.
 */

export interface RetentionDeps {
  db: Db
  now: Now
  log: Log
  bufferPath: string
  config: Pick<Config, 'cleanupBufferMs'>
  /** The watcher need not remember this session any more. */
  forget: (sessionId: string) => void
}

const BATCH = 200

/** The schedule: deletes what is too old in every buffer, and what is left of those whose grace is over. */
export async function retainSegments(deps: RetentionDeps): Promise<{ segments: number; sessions: number }> {
  const counts = { segments: 0, sessions: 0 }
  for (const session of await listUnpurgedSessions(deps.db)) {
    if (session.expires_at && session.expires_at <= deps.now()) {
      const purged = await purgeSession(deps, { sessionId: session.id })
      counts.sessions += purged === 'purged' ? 1 : 0
    } else counts.segments += await deleteOld(deps, session)
  }
  return counts
}

async function deleteOld(deps: RetentionDeps, session: Session): Promise<number> {
  if (!session.clock_origin) return 0
  const reference = session.ended_at ?? deps.now()
  const beforeMs = reference.getTime() - session.clock_origin.getTime() - deps.config.cleanupBufferMs
  return beforeMs <= 0 ? 0 : deleteSegments(deps, session.id, beforeMs)
}

async function deleteSegments(deps: RetentionDeps, sessionId: string, beforeMs: number): Promise<number> {
  let deleted = 0
  for (;;) {
    const batch = await setSegmentsDeleted(deps.db, sessionId, beforeMs, BATCH, deps.now())
    for (const { file_name } of batch) await unlinkFile(deps, sessionId, file_name)
    deleted += batch.length
    if (batch.length < BATCH) return deleted
  }
}

async function unlinkFile(deps: RetentionDeps, sessionId: string, fileName: string): Promise<void> {
  const path = bufferPathOf(deps.bufferPath, sessionId, fileName)
  await unlink(path)
    .catch(absent)
    .catch((error: unknown) => {
      // No right to it: the row is marked, the space is not freed, and a person must look.
      deps.log.error('segment file not deleted', { sessionId, fileName, ...errorFields(error) })
    })
}

const EVERYTHING_MS = 2 ** 31 - 1

/**
 * The job `purge_session`: deletes a buffer whose time is over, and its directory.
 * Segments that clips still need stay, and the schedule comes back for them.
 */
export async function purgeSession(deps: RetentionDeps, { sessionId }: { sessionId: string }): Promise<string> {
  const session = await findSession(deps.db, sessionId)
  if (!session || session.purged_at) return 'not_needed'
  if (!session.expires_at || session.expires_at > deps.now()) return 'not_yet'
  await deleteSegments(deps, sessionId, EVERYTHING_MS)
  if ((await countSegments(deps.db, sessionId)) > 0) return 'pinned'
  const directory = bufferPathOf(deps.bufferPath, sessionId)
  const files = (await readdir(directory).catch(absent)) ?? []
  await rm(directory, { recursive: true, force: true })
  deps.forget(sessionId)
  await deps.db.transaction().execute(async (trx) => {
    if (await lockSession(trx, sessionId)) await setSession(trx, sessionId, { purged_at: deps.now() })
  })
  deps.log.info('buffer purged', { sessionId, room: session.room, files: files.length })
  return 'purged'
}
