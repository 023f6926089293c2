import { sql, type Kysely } from 'kysely'

/** What is known of every share, sessions that were refused, and what a start that is tried again must know. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table shares (
      track_sid text primary key,
      room text not null,
      room_sid text,
      user_id text not null,
      participant_sid text not null,
      published_at timestamptz not null,
      seen_at timestamptz not null,
      gone_at timestamptz,
      gone_reason text check (gone_reason in ('unshared', 'left')),
      check ((gone_at is null) = (gone_reason is null))
    )`.execute(db)
  await sql`create index shares_live on shares (room, user_id) where gone_at is null`.execute(db)
  await sql`create index shares_by_participant on shares (participant_sid)`.execute(db)
  await sql`create index shares_gone on shares (gone_at) where gone_at is not null`.execute(db)

  await sql`
    alter table egress_sessions
      add column attempt integer not null default 0 check (attempt >= 0),
      add column start_sent_at timestamptz,
      drop constraint egress_sessions_status_check,
      drop constraint egress_sessions_ended_reason_check,
      add constraint egress_sessions_status_check
        check (status in ('starting', 'active', 'refused', 'stopping', 'ended', 'failed')),
      add constraint egress_sessions_ended_reason_check
        check (ended_reason in ('unshared', 'left', 'stopped', 'opted_out', 'replaced', 'lost', 'failed', 'limit',
          'disk', 'egress_ended'))`.execute(db)
  await sql`drop index egress_sessions_one_live`.execute(db)
  await sql`
    create unique index egress_sessions_one_live on egress_sessions (room, user_id)
    where status in ('starting', 'active', 'refused')`.execute(db)
  await sql`
    create index egress_sessions_unended on egress_sessions (created_at)
    where status in ('starting', 'active', 'refused', 'stopping')`.execute(db)

  await sql`alter table webhook_events add column room_sid text`.execute(db)
  await sql`
    create index webhook_events_rooms_finished on webhook_events (room_sid)
    where event = 'room_finished'`.execute(db)
}
