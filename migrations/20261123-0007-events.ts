import { sql, type Kysely } from 'kysely'

/**
 * What an idempotency key was used for. And events: what happened to sessions and clips,
 * written in the transaction in which it happens, whoever it is that changes the row.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table replay_clips add column request_hash text`.execute(db)
  await sql`
    create table events (
      id bigint generated always as identity primary key,
      type text not null check (type in ('session_started', 'session_active', 'session_ended', 'session_purged',
        'clip_waiting', 'clip_ready', 'clip_stored', 'clip_failed', 'clip_deleted')),
      room text not null,
      user_id text not null,
      session_id uuid not null,
      clip_id uuid,
      created_at timestamptz not null default clock_timestamp(),
      told_at timestamptz
    )`.execute(db)
  await sql`create index events_by_age on events (created_at)`.execute(db)
  await sql`create index events_untold on events (id) where told_at is null`.execute(db)
  await addFunctions(db)
  await addTriggers(db)
}

/**
 * Ids are in the order of commits, so that "all after this one" misses nothing: the lock
 * is held from the id's making to the commit. The triggers are deferred to the commit, so
 * nothing is waited for while it is held.
 */
async function addFunctions(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function record_event(type text, session uuid, clip uuid, owner text) returns void language plpgsql as $$
    begin
      perform pg_advisory_xact_lock(7282837465);
      insert into events (type, room, user_id, session_id, clip_id)
      values (type, coalesce((select room from egress_sessions where id = session), ''), owner, session, clip);
      perform pg_notify('event_added', '');
    end $$`.execute(db)
  await sql`
    create function session_events() returns trigger language plpgsql as $$
    begin
      if tg_op = 'DELETE' then
        perform pg_advisory_xact_lock(7282837465);
        insert into events (type, room, user_id, session_id)
        values ('session_ended', old.room, old.user_id, old.id);
        perform pg_notify('event_added', '');
        return null;
      end if;
      if tg_op = 'INSERT' or old.status <> new.status then
        if new.status = 'starting' then
          perform record_event('session_started', new.id, null, new.user_id);
        elsif new.status = 'active' then
          perform record_event('session_active', new.id, null, new.user_id);
        elsif new.status in ('ended', 'failed') then
          perform record_event('session_ended', new.id, null, new.user_id);
        end if;
      end if;
      if tg_op = 'UPDATE' and old.purged_at is null and new.purged_at is not null then
        perform record_event('session_purged', new.id, null, new.user_id);
      end if;
      return null;
    end $$`.execute(db)
  await sql`
    create function clip_events() returns trigger language plpgsql as $$
    begin
      if tg_op = 'DELETE' then
        perform record_event('clip_deleted', old.session_id, old.id, old.user_id);
        return null;
      end if;
      if tg_op = 'INSERT' or old.status <> new.status then
        perform record_event('clip_' || new.status, new.session_id, new.id, new.user_id);
      end if;
      if tg_op = 'UPDATE' and old.file_id is null and new.file_id is not null then
        perform record_event('clip_stored', new.session_id, new.id, new.user_id);
      end if;
      return null;
    end $$`.execute(db)
}

async function addTriggers(db: Kysely<unknown>): Promise<void> {
  await sql`
    create constraint trigger session_recorded after insert on egress_sessions
    deferrable initially deferred for each row execute function session_events()`.execute(db)
  await sql`
    create constraint trigger session_changed after update on egress_sessions
    deferrable initially deferred for each row
    when (old.status <> new.status or (old.purged_at is null and new.purged_at is not null))
    execute function session_events()`.execute(db)
  await sql`
    create constraint trigger session_dropped after delete on egress_sessions
    deferrable initially deferred for each row when (old.ended_at is null) execute function session_events()`.execute(
    db,
  )
  await sql`
    create constraint trigger clip_recorded_or_deleted after insert or delete on replay_clips
    deferrable initially deferred for each row execute function clip_events()`.execute(db)
  await sql`
    create constraint trigger clip_changed after update on replay_clips
    deferrable initially deferred for each row
    when (old.status <> new.status or (old.file_id is null and new.file_id is not null))
    execute function clip_events()`.execute(db)
}
