import { sql, type Kysely } from 'kysely'

/** Sessions, what they recorded, the webhooks that drove them, and when each schedule last ran. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table egress_sessions (
      id uuid primary key,
      room text not null,
      room_sid text,
      user_id text not null,
      participant_sid text,
      username text,
      video_track_sid text,
      audio_track_sid text,
      community_id text,
      quality text not null check (quality in ('720p', '1080p', '1440p')),
      egress_id text unique,
      egress_type text not null check (egress_type in ('participant', 'track_composite')),
      status text not null check (status in ('starting', 'active', 'stopping', 'ended', 'failed')),
      ended_reason text check (ended_reason in ('unshared', 'left', 'stopped', 'replaced', 'lost', 'failed', 'limit')),
      error text,
      clock_origin timestamptz,
      clock_source text check (clock_source in ('measured', 'estimated')),
      requested_by text not null check (requested_by in ('webhook', 'api')),
      created_at timestamptz not null,
      started_at timestamptz,
      ended_at timestamptz,
      share_ended_at timestamptz,
      expires_at timestamptz,
      purged_at timestamptz,
      node text,
      check ((clock_origin is null) = (clock_source is null)),
      check ((status in ('ended', 'failed')) = (ended_at is not null)),
      check ((ended_at is null) = (expires_at is null))
    )`.execute(db)
  await sql`
    create unique index egress_sessions_one_live on egress_sessions (room, user_id)
    where status in ('starting', 'active')`.execute(db)
  await sql`create index egress_sessions_by_room on egress_sessions (room, created_at)`.execute(db)
  await sql`create index egress_sessions_by_participant on egress_sessions (participant_sid)`.execute(db)
  await sql`
    create index egress_sessions_unpurged on egress_sessions (expires_at) where purged_at is null`.execute(db)
  await sql`
    create table share_spans (
      session_id uuid not null references egress_sessions on delete cascade,
      track_sid text not null,
      shared_from timestamptz not null,
      shared_to timestamptz,
      primary key (session_id, track_sid)
    )`.execute(db)
  await sql`create index share_spans_by_track on share_spans (track_sid)`.execute(db)
  await sql`
    create table webhook_events (
      id text primary key,
      event text not null,
      room text,
      participant_sid text,
      track_sid text,
      body jsonb not null,
      received_at timestamptz not null,
      effect text not null
    )`.execute(db)
  await sql`create index webhook_events_by_age on webhook_events (received_at)`.execute(db)
  await sql`
    create index webhook_events_by_participant on webhook_events (participant_sid, event)
    where participant_sid is not null`.execute(db)
  await sql`
    create index webhook_events_by_track on webhook_events (track_sid, event)
    where track_sid is not null`.execute(db)
  await sql`
    create table schedule_runs (
      name text primary key,
      tick timestamptz not null
    )`.execute(db)
}
