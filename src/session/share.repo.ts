import { sql } from 'kysely'
import type { Db, Trx } from '../db/connect.ts'
import type { ShareRow } from '../db/schema.ts'

/**
 * Lets one transaction at a time deal with a user's shares and sessions in a room. It
 * comes before any lock on their rows, here and wherever else a session changes, so that
 * no two wait for each other.
 */
export async function lockUser(trx: Trx, room: string, userId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(jsonb_build_array(${room}::text, ${userId}::text)::text, 1))`.execute(
    trx,
  )
}

/** As `lockUser`, for the user of a session, found by its id or by its egress's. Returns the session's id. */
export async function lockUserOfSession(
  trx: Trx,
  by: { sessionId: string | undefined; egressId?: string },
): Promise<string | undefined> {
  const { rows } = await sql<{ id: string }>`
    select id, pg_advisory_xact_lock(hashtextextended(jsonb_build_array(room, user_id)::text, 1)) from (
      select id, room, user_id from egress_sessions
      where egress_id = ${by.egressId ?? null} or id = ${by.sessionId ?? null}
      order by (egress_id = ${by.egressId ?? null}) desc nulls last
      limit 1
    ) as session`.execute(trx)
  return rows[0]?.id
}

/** Lets one transaction at a time count a community's sessions. */
export async function lockCommunity(trx: Trx, communityId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${communityId}, 2))`.execute(trx)
}

/** Shares that are alive as far as is known, all or one user's; the one named as well, alive or not. */
export async function listLivingShares(
  db: Db,
  of?: { room: string; userId: string; trackSid?: string | null | undefined },
): Promise<ShareRow[]> {
  let query = db.selectFrom('shares').selectAll()
  if (!of) return query.where('gone_at', 'is', null).execute()
  query = query.where((eb) =>
    eb.or([
      eb.and([eb('room', '=', of.room), eb('user_id', '=', of.userId), eb('gone_at', 'is', null)]),
      eb('track_sid', '=', of.trackSid ?? ''),
    ]),
  )
  return query.execute()
}

/** Records a share once. What is known of it already stays, above all that it is gone. */
export async function recordShare(trx: Trx, share: ShareRow): Promise<ShareRow> {
  return trx
    .insertInto('shares')
    .values(share)
    .onConflict((oc) =>
      oc.column('track_sid').doUpdateSet({ room_sid: sql`coalesce(shares.room_sid, ${share.room_sid}::text)` }),
    )
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** Records that a share is gone, be it the first that is heard of it. */
export async function recordShareGone(trx: Trx, share: ShareRow): Promise<void> {
  await trx
    .insertInto('shares')
    .values(share)
    .onConflict((oc) =>
      oc
        .column('track_sid')
        .doUpdateSet({ gone_at: share.gone_at, gone_reason: share.gone_reason })
        .where('shares.gone_at', 'is', null),
    )
    .execute()
}

/** A participant's shares are gone with them. Returns how many there are, gone before or now. */
export async function setParticipantGone(trx: Trx, participantSid: string, at: Date): Promise<number> {
  const { numUpdatedRows } = await trx
    .updateTable('shares')
    .set({ gone_at: sql<Date>`coalesce(gone_at, ${at})`, gone_reason: 'left' })
    .where('participant_sid', '=', participantSid)
    .executeTakeFirstOrThrow()
  return Number(numUpdatedRows)
}

export async function setShareGone(
  trx: Trx,
  trackSid: string,
  gone: { at: Date; reason: 'unshared' | 'left' },
): Promise<void> {
  await trx
    .updateTable('shares')
    .set({ gone_at: gone.at, gone_reason: gone.reason })
    .where('track_sid', '=', trackSid)
    .where('gone_at', 'is', null)
    .execute()
}

/** LiveKit shows a share that was taken for gone. */
export async function setShareAlive(trx: Trx, trackSid: string, participantSid: string): Promise<void> {
  await trx
    .updateTable('shares')
    .set({ gone_at: null, gone_reason: null, participant_sid: participantSid })
    .where('track_sid', '=', trackSid)
    .execute()
}

export async function listUsersSharingIn(db: Db, roomSid: string): Promise<{ room: string; user_id: string }[]> {
  return db
    .selectFrom('shares')
    .select(['room', 'user_id'])
    .distinct()
    .where('room_sid', '=', roomSid)
    .where('gone_at', 'is', null)
    .orderBy('room')
    .orderBy('user_id')
    .execute()
}

export async function setRoomGone(trx: Trx, roomSid: string, userId: string, at: Date): Promise<void> {
  await trx
    .updateTable('shares')
    .set({ gone_at: at, gone_reason: 'left' })
    .where('room_sid', '=', roomSid)
    .where('user_id', '=', userId)
    .where('gone_at', 'is', null)
    .execute()
}

/**
 * When word came that this participant left, or this room ended; undefined if none did.
 * Every webhook that was accepted is in the record, so an end that overtook its beginning is known.
 */
export async function findDeparture(
  trx: Trx,
  share: { participantSid: string; roomSid: string | undefined },
): Promise<Date | undefined> {
  const found = await trx
    .selectFrom('webhook_events')
    .select('received_at')
    .where((eb) =>
      eb.or([
        eb.and([
          eb('participant_sid', '=', share.participantSid),
          eb('event', 'in', ['participant_left', 'participant_connection_aborted']),
        ]),
        eb.and([eb('room_sid', '=', share.roomSid ?? ''), eb('event', '=', 'room_finished')]),
      ]),
    )
    .limit(1)
    .executeTakeFirst()
  return found?.received_at
}

export async function deleteSharesGoneBefore(db: Db, before: Date): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('shares').where('gone_at', '<', before).executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}
