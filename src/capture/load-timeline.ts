import { sql } from 'kysely'
import { jsonArrayFrom } from 'kysely/helpers/postgres'
import type { Db, Trx } from '../db/connect.ts'
import type { ClipSpan, Session } from '../db/schema.ts'
import { startUnpacking, unpackFrameIndex } from '../media/frame-index.ts'
import { placeSegments, type SourceSegment, type TickRange } from '../media/timeline.ts'
import type { SessionTimeline } from './cut-plan.ts'
import { sampleKey } from './sample-files.ts'

/** The longest that a segment can be: ten seconds, and what egress adds at a republish. */
const LONGEST_SEGMENT_MS = 30_000

/**
 * A session's segments around `[from, to)`, their rows locked against deletion until the
 * caller's transaction ends. Undefined while nothing has landed.
 */
async function loadTimeline(
  trx: Trx,
  session: SharedSession,
  from: Date,
  to: Date,
): Promise<SessionTimeline | undefined> {
  if (!session.clock_origin || !session.clock_source) return undefined
  const originMs = session.clock_origin.getTime()
  // The database answers the second, which is to see what the first found deleted, while the first is read here.
  const [rows, expiredMs] = await Promise.all([
    lockSegments(trx, session.id, from.getTime() - originMs, to.getTime() - originMs),
    findExpiredMs(trx, session.id),
  ])
  return {
    sessionId: session.id,
    originMs,
    clock: session.clock_source,
    placed: placeSegments(sourceSegments(session.id, rows)),
    unreadable: rows.filter((row) => !row.frame_index).map(rangeOf),
    shared: session.spans.map(({ shared_from, shared_to }) => ({
      fromMs: Date.parse(shared_from),
      toMs: shared_to === null ? undefined : Date.parse(shared_to),
    })),
    expiredBefore: expiredMs * 90,
    isGrowing: session.status !== 'ended' && session.status !== 'failed',
  }
}

/** The timelines of several sessions of one user, oldest first; those without a segment are left out. */
export async function loadTimelines(
  trx: Trx,
  sessions: SharedSession[],
  from: Date,
  to: Date,
): Promise<SessionTimeline[]> {
  const timelines: SessionTimeline[] = []
  for (const session of sessions) {
    const timeline = await loadTimeline(trx, session, from, to)
    if (timeline) timelines.push(timeline)
  }
  return timelines
}

/**
 * A session with what a capture needs to know of it. It is read before its segments: what lands in between is there
 * then, and what it says of its end is at worst too old, so that the capture waits, and looks again.
 */
export interface SharedSession extends Session {
  /** When there was a share, as JSON has times. */
  spans: { shared_from: string; shared_to: string | null }[]
}

const sharedSessions = (db: Db) =>
  db
    .selectFrom('egress_sessions')
    .selectAll()
    .select((eb) =>
      jsonArrayFrom(
        eb
          .selectFrom('share_spans')
          .select(['shared_from', 'shared_to'])
          .whereRef('session_id', '=', 'egress_sessions.id')
          .orderBy('shared_from'),
      ).as('spans'),
    )
    .orderBy('created_at')

export async function findSharedSession(db: Db, id: string): Promise<SharedSession | undefined> {
  return sharedSessions(db).where('id', '=', id).executeTakeFirst()
}

/** Oldest first. */
export async function listSharedSessions(db: Db, ids: string[]): Promise<SharedSession[]> {
  return sharedSessions(db)
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute()
}

/** What a user shared in a room at some time in `[from, to)` and is still kept; oldest first. */
export async function listSessionsOfUser(
  db: Db,
  room: string,
  userId: string,
  from: Date,
  to: Date,
): Promise<SharedSession[]> {
  return sharedSessions(db)
    .where('room', '=', room)
    .where('user_id', '=', userId)
    .where('purged_at', 'is', null)
    .where('created_at', '<', to)
    .where((eb) => eb.or([eb('ended_at', 'is', null), eb('ended_at', '>', from)]))
    .execute()
}

interface SegmentRow {
  sequence: number
  start_ms: number
  duration_ms: number
  file_name: string
  frame_index: Buffer | null
}

async function lockSegments(trx: Trx, sessionId: string, fromMs: number, toMs: number): Promise<SegmentRow[]> {
  return trx
    .selectFrom('segments')
    .leftJoin('segment_frames', (join) =>
      join
        .onRef('segment_frames.session_id', '=', 'segments.session_id')
        .onRef('segment_frames.sequence', '=', 'segments.sequence'),
    )
    .select(['segments.sequence', 'start_ms', 'duration_ms', 'file_name', 'frame_index'])
    .where('segments.session_id', '=', sessionId)
    .where('deleted_at', 'is', null)
    .where('start_ms', '<', Math.ceil(toMs) + LONGEST_SEGMENT_MS)
    .where('start_ms', '>=', Math.floor(fromMs) - LONGEST_SEGMENT_MS)
    .orderBy('start_ms')
    .forShare('segments')
    .execute()
}

/** Where the oldest deleted segments end: what was asked for before that is gone for its age. */
async function findExpiredMs(trx: Trx, sessionId: string): Promise<number> {
  const { expired } = await trx
    .selectFrom('segments')
    .select(sql<number | null>`max(start_ms + duration_ms)`.as('expired'))
    .where('session_id', '=', sessionId)
    .where('deleted_at', 'is not', null)
    .executeTakeFirstOrThrow()
  return expired ?? -Infinity
}

const rangeOf = (row: SegmentRow): TickRange => ({
  fromTicks: row.start_ms * 90,
  toTicks: (row.start_ms + row.duration_ms) * 90,
})

/** Of those that are readable. */
function sourceSegments(sessionId: string, rows: SegmentRow[]): SourceSegment[] {
  const unpacking = startUnpacking()
  const segments: SourceSegment[] = []
  for (const { sequence, start_ms, file_name, frame_index } of rows) {
    if (!frame_index) continue
    const frameIndex = unpackFrameIndex(frame_index, unpacking)
    segments.push({ key: sampleKey(sessionId, file_name), sequence, startMs: start_ms, frameIndex })
  }
  return segments
}

/** The segments that a clip has pinned, of one of its sessions. */
export async function listPinnedSegments(
  db: Pick<Trx, 'selectFrom'>,
  clipId: string,
  sessionId: ClipSpan['sessionId'],
): Promise<SourceSegment[]> {
  const rows = await db
    .selectFrom('clip_segments')
    .innerJoin('segments', (join) =>
      join
        .onRef('segments.session_id', '=', 'clip_segments.session_id')
        .on(sql<boolean>`segments.sequence between first_sequence and last_sequence`),
    )
    .innerJoin('segment_frames', (join) =>
      join
        .onRef('segment_frames.session_id', '=', 'segments.session_id')
        .onRef('segment_frames.sequence', '=', 'segments.sequence'),
    )
    .select(['segments.sequence', 'start_ms', 'duration_ms', 'file_name', 'frame_index'])
    .where('clip_id', '=', clipId)
    .where('clip_segments.session_id', '=', sessionId)
    .orderBy('segments.sequence')
    .execute()
  return sourceSegments(sessionId, rows)
}
