import type { Now } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Db } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import { deleteFiles, type DeleteFilesDeps } from './delete-files.ts'
import { setSegmentsDeleted } from './segment.repo.ts'

/*
 * What goes, and when.
 * - Order: the row is marked, then the file is unlinked. A marked row's file that is
 *   still there is found by name and unlinked by the sweep.
 * - A pinned segment stays, whatever is asked.
 * - A buffer ages while its share lives; once it ended it stays whole for its grace.
 */

export interface RetentionDeps extends DeleteFilesDeps {
  db: Db
  now: Now
  config: Pick<Config, 'cleanupBufferMs'>
}

const BATCH = 200

/** Deletes what is older than is kept. Returns how many segments went. */
export async function deleteOldSegments(deps: RetentionDeps, session: Session): Promise<number> {
  if (!session.clock_origin) return 0
  const reference = session.ended_at ?? deps.now()
  const beforeMs = reference.getTime() - session.clock_origin.getTime() - deps.config.cleanupBufferMs
  return beforeMs <= 0 ? 0 : deleteSegments(deps, session.id, beforeMs)
}

/** Deletes what ends before `beforeMs` of media time and is not pinned, the oldest first. */
export async function deleteSegments(deps: RetentionDeps, sessionId: string, beforeMs: number): Promise<number> {
  let deleted = 0
  for (;;) {
    const batch = await deleteOldest(deps, sessionId, beforeMs, BATCH)
    deleted += batch.length
    if (batch.length < BATCH) return deleted
  }
}

/** At most `limit` of them. */
export async function deleteOldest(deps: RetentionDeps, sessionId: string, beforeMs: number, limit: number) {
  const batch = await setSegmentsDeleted(deps.db, sessionId, beforeMs, limit, deps.now())
  if (batch.length === 0) return batch
  deps.reached?.('segments marked')
  const names = batch.map(({ file_name }) => file_name)
  await deleteFiles(deps, sessionId, names)
  return batch
}
