import { sql } from 'kysely'
import type { Db, Trx } from '../db/connect.ts'
import type { NewSession, Session, SessionStatus, ShareSpan } from '../db/schema.ts'

/** A session that has, or will have, an egress recording: there is one a user and room at most. */
export const LIVE = ['starting', 'active'] as const satisfies SessionStatus[]

/** What a user has one of in a room at most, by a unique index: a refused one still waits for its turn. */
export const CURRENT = [...LIVE, 'refused'] as const satisfies SessionStatus[]

export async function findSession(db: Db, id: string): Promise<Session | undefined> {
  return db.selectFrom('egress_sessions').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Sessions of a room that have a buffer, or will, newest first. */
/** Of one room, or of all. */
export async function listSessionsWithBuffer(db: Db, room: string | undefined): Promise<Session[]> {
  return db
    .selectFrom('egress_sessions')
    .selectAll()
    .where('purged_at', 'is', null)
    .$if(room !== undefined, (query) => query.where('room', '=', room ?? ''))
    .orderBy('created_at', 'desc')
    .execute()
}

/** Sessions whose egress runs, or should, or would if it were let. */
export async function listUnendedSessions(db: Db): Promise<Session[]> {
  return db
    .selectFrom('egress_sessions')
    .selectAll()
    .where('status', 'in', [...CURRENT, 'stopping'])
    .orderBy('created_at')
    .execute()
}

/** Sessions whose buffer may still have files, the oldest first. */
export async function listUnpurgedSessions(db: Db): Promise<Session[]> {
  return db.selectFrom('egress_sessions').selectAll().where('purged_at', 'is', null).orderBy('created_at').execute()
}

/** Without the one named, if it is among them. */
export async function countLiveSessions(db: Db, communityId: string, except?: string): Promise<number> {
  const { count } = await db
    .selectFrom('egress_sessions')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('community_id', '=', communityId)
    .where('status', 'in', LIVE)
    .$if(except !== undefined, (query) => query.where('id', '!=', except ?? ''))
    .executeTakeFirstOrThrow()
  return count
}

export async function lockSession(trx: Trx, id: string): Promise<Session | undefined> {
  return trx.selectFrom('egress_sessions').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
}

/** The one session that the user has in the room and that has not ended. */
export async function lockCurrentSession(trx: Trx, room: string, userId: string): Promise<Session | undefined> {
  return trx
    .selectFrom('egress_sessions')
    .selectAll()
    .where('room', '=', room)
    .where('user_id', '=', userId)
    .where('status', 'in', CURRENT)
    .forUpdate()
    .executeTakeFirst()
}

export async function lockCurrentSessionsOfParticipant(trx: Trx, participantSid: string): Promise<Session[]> {
  return trx
    .selectFrom('egress_sessions')
    .selectAll()
    .where('participant_sid', '=', participantSid)
    .where('status', 'in', CURRENT)
    .forUpdate()
    .execute()
}

/** False when the user already has a live session in this room. */
export async function recordSession(trx: Trx, session: NewSession): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('egress_sessions')
    .values(session)
    .onConflict((oc) => oc.columns(['room', 'user_id']).where('status', 'in', CURRENT).doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

/** Changes a session and tells whoever watches it. */
export async function setSession(trx: Trx, id: string, change: Partial<Session>): Promise<void> {
  await trx.updateTable('egress_sessions').set(change).where('id', '=', id).execute()
  await tellSession(trx, id)
}

/** Wakes whoever watches a session, once the transaction is committed. */
export async function tellSession(trx: Trx, id: string): Promise<void> {
  await sql`select pg_notify('session_changed', ${id})`.execute(trx)
}

/**
 * Discards a session for which no egress was ever asked: it was never more than an
 * intention. Only if somebody has pressed on it already, its row stays, as ended.
 */
export async function discardSession(trx: Trx, id: string, now: Date): Promise<void> {
  const { numDeletedRows } = await trx
    .deleteFrom('egress_sessions')
    .where('id', '=', id)
    .where((eb) =>
      eb.not(
        eb.or([
          eb.exists(eb.selectFrom('replay_clips').select('id').whereRef('session_id', '=', 'egress_sessions.id')),
          eb.exists(eb.selectFrom('clip_sessions').select('clip_id').whereRef('session_id', '=', 'egress_sessions.id')),
        ]),
      ),
    )
    .executeTakeFirstOrThrow()
  const over = { status: 'ended', ended_reason: 'unshared', ended_at: now, expires_at: now } as const
  if (numDeletedRows === 0n) await setSession(trx, id, over)
  else await tellSession(trx, id)
}

export async function listShareSpans(db: Db, sessionId: string): Promise<ShareSpan[]> {
  return db.selectFrom('share_spans').selectAll().where('session_id', '=', sessionId).orderBy('shared_from').execute()
}

/** The latest session that recorded this track, whatever became of it. */
export async function findSessionOfTrack(db: Db, trackSid: string): Promise<Session | undefined> {
  return db
    .selectFrom('egress_sessions')
    .innerJoin('share_spans', 'share_spans.session_id', 'egress_sessions.id')
    .selectAll('egress_sessions')
    .where('share_spans.track_sid', '=', trackSid)
    .orderBy('egress_sessions.created_at', 'desc')
    .limit(1)
    .executeTakeFirst()
}

export async function recordShareSpan(trx: Trx, span: Omit<ShareSpan, 'shared_to'>): Promise<void> {
  await trx
    .insertInto('share_spans')
    .values({ ...span, shared_to: null })
    .onConflict((oc) => oc.columns(['session_id', 'track_sid']).doNothing())
    .execute()
}

/** Ends a session's open spans, all of them or one track's; an end that is known stays. */
export async function setShareSpansEnded(trx: Trx, sessionId: string, at: Date, trackSid?: string): Promise<void> {
  await trx
    .updateTable('share_spans')
    .set({ shared_to: sql<Date>`greatest(shared_from, ${at})` })
    .where('session_id', '=', sessionId)
    .where('shared_to', 'is', null)
    .$if(trackSid !== undefined, (query) => query.where('track_sid', '=', trackSid ?? ''))
    .execute()
}

/**
 * Sessions that should be recording and of which nothing has landed since, or which wait
 * for their egress's first packet since. `node` is whose disk is looked at: for sessions
 * that another has seen land, an older bound counts.
 */
export async function listSilentSessions(
  db: Db,
  bounds: { landedBefore: Date; landedElsewhereBefore: Date; sentBefore: Date; node: string },
): Promise<Session[]> {
  const landed = sql<Date>`coalesce((
    select landed_at from segments where session_id = egress_sessions.id order by sequence desc limit 1
  ), started_at)`
  return db
    .selectFrom('egress_sessions')
    .selectAll()
    .where('share_ended_at', 'is', null)
    .where('egress_id', 'is not', null)
    .where((eb) =>
      eb.or([
        eb.and([
          eb('status', '=', 'active'),
          sql<boolean>`${landed} < case when coalesce(node, ${bounds.node}) = ${bounds.node}
            then ${bounds.landedBefore}::timestamptz else ${bounds.landedElsewhereBefore}::timestamptz end`,
        ]),
        eb.and([eb('status', '=', 'starting'), eb('start_sent_at', '<', bounds.sentBefore)]),
      ]),
    )
    .orderBy('created_at')
    .execute()
}

/**
 * Notes on sessions that are stopping that their share is gone: egress may say that it
 * ends before the share's end is told, and what it wrote after that is black.
 */
export async function setStoppingSharesEnded(trx: Trx, room: string, userId: string): Promise<void> {
  const { rows } = await sql<{ id: string; gone_at: Date }>`
    update egress_sessions as session
    set share_ended_at = share.gone_at, ended_reason = coalesce(session.ended_reason, share.gone_reason)
    from shares as share
    where session.room = ${room} and session.user_id = ${userId} and session.status = 'stopping'
      and session.share_ended_at is null and share.track_sid = session.video_track_sid and share.gone_at is not null
    returning session.id, share.gone_at`.execute(trx)
  for (const { id, gone_at } of rows) {
    await setShareSpansEnded(trx, id, gone_at)
    await tellSession(trx, id)
  }
}
