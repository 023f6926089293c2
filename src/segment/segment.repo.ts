import { sql, type ExpressionBuilder } from 'kysely'
import type { Db, Trx } from '../db/connect.ts'
import type { Schema, Segment } from '../db/schema.ts'

export interface LandedSegment extends Omit<Segment, 'deleted_at'> {
  /** Packed; null for a segment that could not be read. */
  frame_index: Buffer | null
}

/** Which segments have a row, deleted ones among them: those are not landed again. */
export async function listSequences(db: Db, sessionId: string): Promise<number[]> {
  const rows = await db.selectFrom('segments').select('sequence').where('session_id', '=', sessionId).execute()
  return rows.map((row) => row.sequence)
}

/** The segments that overlap `[fromMs, toMs)` of the session's media time, in order. An index-only scan. */
export async function listSegments(
  db: Db,
  sessionId: string,
  fromMs: number,
  toMs: number,
): Promise<Pick<Segment, 'sequence' | 'start_ms' | 'duration_ms' | 'size_bytes' | 'file_name' | 'unreadable'>[]> {
  // No segment is longer than a minute, so the index gives the range without looking at all before it.
  return db
    .selectFrom('segments')
    .select(['sequence', 'start_ms', 'duration_ms', 'size_bytes', 'file_name', 'unreadable'])
    .where('session_id', '=', sessionId)
    .where('deleted_at', 'is', null)
    .where('start_ms', '<', toMs)
    .where('start_ms', '>', fromMs - 60_000)
    .where(sql<boolean>`start_ms + duration_ms > ${fromMs}`)
    .orderBy('start_ms')
    .execute()
}

/** Where a session's buffer ends, in ms of its media time; undefined before anything landed. */
export async function findBufferEnd(db: Db, sessionId: string): Promise<number | undefined> {
  const last = await db
    .selectFrom('segments')
    .select(['start_ms', 'duration_ms'])
    .where('session_id', '=', sessionId)
    .where('deleted_at', 'is', null)
    .orderBy('start_ms', 'desc')
    .limit(1)
    .executeTakeFirst()
  return last && last.start_ms + last.duration_ms
}

/** Records segments once, however often watcher and sweep report them, and wakes who waits for them. */
export async function recordSegments(trx: Trx, sessionId: string, landed: LandedSegment[]): Promise<void> {
  await trx
    .insertInto('segments')
    .values(landed.map(({ frame_index: _, ...segment }) => ({ ...segment, deleted_at: null })))
    .onConflict((oc) => oc.columns(['session_id', 'sequence']).doNothing())
    .execute()
  const frames = landed.flatMap(({ session_id, sequence, frame_index }) =>
    frame_index ? [{ session_id, sequence, frame_index }] : [],
  )
  if (frames.length > 0)
    await trx
      .insertInto('segment_frames')
      .values(frames)
      .onConflict((oc) => oc.columns(['session_id', 'sequence']).doNothing())
      .execute()
  await sql`select pg_notify('segment_landed', ${sessionId})`.execute(trx)
}

/**
 * Marks as deleted the unpinned segments of a session that end before `beforeMs` of its
 * media time, at most `limit` of them, the oldest first. Their files may then be unlinked.
 */
export async function setSegmentsDeleted(
  db: Db,
  sessionId: string,
  beforeMs: number,
  limit: number,
  now: Date,
): Promise<Pick<Segment, 'sequence' | 'file_name'>[]> {
  return db.transaction().execute(async (trx) => {
    const candidates = await trx
      .selectFrom('segments')
      .select('sequence')
      .where('session_id', '=', sessionId)
      .where('deleted_at', 'is', null)
      .where(sql<boolean>`start_ms + duration_ms <= ${beforeMs}`)
      .where((eb) => eb.not(isPinned(eb)))
      .orderBy('start_ms')
      .limit(limit)
      .forUpdate()
      .skipLocked()
      .execute()
    if (candidates.length === 0) return []
    // Asked again now that the rows are locked: a pin may have come between the look and the lock.
    const doomed = await trx
      .updateTable('segments')
      .set({ deleted_at: now })
      .where('session_id', '=', sessionId)
      .where(
        'sequence',
        'in',
        candidates.map((row) => row.sequence),
      )
      .where((eb) => eb.not(isPinned(eb)))
      .returning(['sequence', 'file_name'])
      .execute()
    await trx
      .deleteFrom('segment_frames')
      .where('session_id', '=', sessionId)
      .where('sequence', 'in', [-1, ...doomed.map((row) => row.sequence)])
      .execute()
    return doomed
  })
}

const isPinned = (eb: ExpressionBuilder<Schema, 'segments'>) =>
  eb.exists(
    eb
      .selectFrom('clip_segments')
      .select('clip_id')
      .whereRef('clip_segments.session_id', '=', 'segments.session_id')
      .whereRef('clip_segments.sequence', '=', 'segments.sequence'),
  )

export async function countSegments(db: Db, sessionId: string): Promise<number> {
  const { count } = await db
    .selectFrom('segments')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('session_id', '=', sessionId)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow()
  return count
}
