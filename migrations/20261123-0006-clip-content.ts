import { sql, type Kysely } from 'kysely'

/** What a clip shows, as a hash: two clips of the same are written once. And whether its owner wants all or nothing. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table replay_clips
    add column content_key text,
    add column is_exact boolean not null default false`.execute(db)
  await sql`create index replay_clips_by_content on replay_clips (content_key) where file_id is not null`.execute(db)
  await sql`
    create table clip_sessions (
      clip_id uuid not null references replay_clips on delete cascade,
      session_id uuid not null references egress_sessions,
      primary key (clip_id, session_id)
    )`.execute(db)
  await sql`create index clip_sessions_by_session on clip_sessions (session_id)`.execute(db)
}
