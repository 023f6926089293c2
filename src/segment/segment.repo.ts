import { sql } from 'kysely'
import type { Db } from '../db/connect.ts'
import type { Segment } from '../db/schema.ts'

/** What no segment is longer than: ten seconds, and what egress adds at a republish. Ranges are looked up by it. */
export const LONGEST_SEGMENT_MS = 30_000

export interface LandedSegment extends Omit<Segment, 'deleted_at'> {
  /** Packed; null for a segment that could not be read. */
  frame_index: Buffer | null
}

/** Which segments have a row, deleted ones among them: those are not landed again. All, or which of some. */
export async function listSequences(db: Db, sessionId: string, some?: number[]): Promise<number[]> {
  const rows = await db
    .selectFrom('segments')
    .select('sequence')
    .where('session_id', '=', sessionId)
    .$if(some !== undefined, (query) => query.where('sequence', 'in', [-1, ...(some ?? [])]))
    .execute()
  return rows.map((row) => row.sequence)
}

/** The segments that overlap `[fromMs, toMs)` of the session's media time, in order. */
export async function listSegments(db: Db, sessionId: string, fromMs: number, toMs: number) {
  return rangeQuery(db, sessionId, fromMs, toMs).execute()
}

/** Answered by `segments_by_time` alone, whatever else is in the table: a test looks at its plan. */
export function rangeQuery(db: Db, sessionId: string, fromMs: number, toMs: number) {
  return (
    db
      .selectFrom('segments')
      .select(['sequence', 'start_ms', 'duration_ms', 'size_bytes', 'file_name', 'unreadable'])
      .where('session_id', '=', sessionId)
      .where('deleted_at', 'is', null)
      .where('start_ms', '<', Math.ceil(toMs))
      // So the index gives the range without looking at all that was before it.
      .where('start_ms', '>=', Math.floor(fromMs) - LONGEST_SEGMENT_MS)
      .where(sql<boolean>`start_ms + duration_ms > ${Math.floor(fromMs)}`)
      .orderBy('start_ms')
  )
}

/** Segments of a session whose file is there. */
export async function listLive(
  db: Db,
  sessionId: string,
): Promise<Pick<Segment, 'sequence' | 'file_name' | 'size_bytes'>[]> {
  return db
    .selectFrom('segments')
    .select(['sequence', 'file_name', 'size_bytes'])
    .where('session_id', '=', sessionId)
    .where('deleted_at', 'is', null)
    .orderBy('start_ms')
    .execute()
}

/** Packed frame indexes of some segments of a session. */
export async function listFrames(db: Db, sessionId: string, sequences: number[]): Promise<Map<number, Buffer>> {
  const rows = await db
    .selectFrom('segment_frames')
    .select(['sequence', 'frame_index'])
    .where('session_id', '=', sessionId)
    .where('sequence', 'in', [-1, ...sequences])
    .execute()
  return new Map(rows.map((row) => [row.sequence, row.frame_index]))
}

/** A segment whose file is there, with its frame index. */
export async function findReadable(db: Db, sessionId: string, sequence: number) {
  return db
    .selectFrom('segments')
    .innerJoin('segment_frames', (join) =>
      join
        .onRef('segment_frames.session_id', '=', 'segments.session_id')
        .onRef('segment_frames.sequence', '=', 'segments.sequence'),
    )
    .select(['start_ms', 'file_name', 'frame_index'])
    .where('segments.session_id', '=', sessionId)
    .where('segments.sequence', '=', sequence)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
}

/** Which of some segments are marked as deleted. */
export async function listMarked(db: Db, sessionId: string, sequences: number[]): Promise<number[]> {
  const rows = await db
    .selectFrom('segments')
    .select('sequence')
    .where('session_id', '=', sessionId)
    .where('sequence', 'in', [-1, ...sequences])
    .where('deleted_at', 'is not', null)
    .execute()
  return rows.map((row) => row.sequence)
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

/** Where a segment of a session ends, deleted or not. */
export async function findSegmentEnd(db: Db, sessionId: string, sequence: number): Promise<number | undefined> {
  const row = await db
    .selectFrom('segments')
    .select(['start_ms', 'duration_ms'])
    .where('session_id', '=', sessionId)
    .where('sequence', '=', sequence)
    .executeTakeFirst()
  return row && row.start_ms + row.duration_ms
}

/**
 * Records segments once, however often watcher and sweep report them, and wakes who
 * waits for them: one statement, for this is done for every segment of every session.
 * Says whether any clip waits for segments, of whichever session: mostly none does.
 */
export async function recordSegments(
  db: Db,
  sessionId: string,
  landed: LandedSegment[],
): Promise<{ isAwaited: boolean }> {
  const column = <K extends keyof LandedSegment>(name: K) => landed.map((segment) => segment[name])
  const { rows } = await sql<{ is_awaited: boolean }>`
    with landed as (
      insert into segments
        (session_id, sequence, start_ms, duration_ms, size_bytes, file_name, landed_at, unreadable)
      select ${sessionId}::uuid, * from unnest(
        ${column('sequence')}::int[], ${column('start_ms')}::int[], ${column('duration_ms')}::int[],
        ${column('size_bytes')}::int[], ${column('file_name')}::text[], ${column('landed_at')}::timestamptz[],
        ${column('unreadable')}::text[])
      on conflict (session_id, sequence) do nothing
      returning sequence
    ), framed as (
      insert into segment_frames (session_id, sequence, frame_index)
      select ${sessionId}::uuid, sequence, frame_index
      from unnest(${column('sequence')}::int[], ${column('frame_index')}::bytea[]) as frames (sequence, frame_index)
      join landed using (sequence)
      where frame_index is not null
    )
    select pg_notify('segment_landed', ${sessionId}),
      exists (select from replay_clips where status = 'waiting') as is_awaited
    `.execute(db)
  return { isAwaited: rows[0]?.is_awaited ?? false }
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
): Promise<Pick<Segment, 'sequence' | 'file_name' | 'duration_ms'>[]> {
  return db.transaction().execute(async (trx) => {
    const candidates = await trx
      .selectFrom('segments')
      .select('sequence')
      .where('session_id', '=', sessionId)
      .where('deleted_at', 'is', null)
      .where('start_ms', '<', beforeMs)
      .where(sql<boolean>`start_ms + duration_ms <= ${beforeMs}`)
      .where(sql<boolean>`not ${isPinned}`)
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
      .where(sql<boolean>`not ${isPinned}`)
      .returning(['sequence', 'file_name', 'duration_ms'])
      .execute()
    await trx
      .deleteFrom('segment_frames')
      .where('session_id', '=', sessionId)
      .where('sequence', 'in', [-1, ...doomed.map((row) => row.sequence)])
      .execute()
    return doomed
  })
}

/** Whether a clip needs the segment: of a query on `segments`. */
export const isPinned = sql<boolean>`exists (
  select from clip_segments as pin
  where pin.session_id = segments.session_id
    and segments.sequence between pin.first_sequence and pin.last_sequence)`

export async function countSegments(db: Db, sessionId: string): Promise<number> {
  const { count } = await db
    .selectFrom('segments')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('session_id', '=', sessionId)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow()
  return count
}
