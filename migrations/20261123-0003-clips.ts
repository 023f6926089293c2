import { sql, type Kysely } from 'kysely'

/** Clips, their files, the pins that keep their segments, and what each user has used. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table files (
      id uuid primary key,
      path text not null unique check (path !~ '(^/|\\.\\.)'),
      size_bytes bigint not null check (size_bytes > 0),
      sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
      mime_type text not null,
      created_at timestamptz not null
    )`.execute(db)
  await sql`
    create table replay_clips (
      id uuid primary key,
      user_id text not null,
      session_id uuid not null references egress_sessions,
      community_id text,
      title text check (char_length(title) between 1 and 200),
      from_at timestamptz not null,
      to_at timestamptz not null,
      requested_from timestamptz not null,
      requested_to timestamptz not null,
      coverage jsonb not null,
      spans jsonb not null,
      status text not null check (status in ('waiting', 'ready', 'failed')),
      error text,
      size_bytes bigint check (size_bytes > 0),
      pressed_at timestamptz not null,
      idempotency_key text,
      reserved_bytes bigint not null check (reserved_bytes >= 0),
      file_id uuid references files on delete cascade,
      created_at timestamptz not null,
      check (requested_from < requested_to),
      check (from_at < to_at),
      check ((status = 'ready') = (size_bytes is not null)),
      unique (user_id, idempotency_key)
    )`.execute(db)
  await sql`create index replay_clips_by_user on replay_clips (user_id, created_at desc, id desc)`.execute(db)
  await sql`
    create index replay_clips_unfinished on replay_clips (session_id) where status = 'waiting'`.execute(db)
  await sql`create index replay_clips_by_file on replay_clips (file_id)`.execute(db)
  await sql`
    create table clip_segments (
      clip_id uuid not null references replay_clips on delete cascade,
      session_id uuid not null,
      sequence integer not null,
      primary key (clip_id, session_id, sequence),
      foreign key (session_id, sequence) references segments
    )`.execute(db)
  await sql`create index clip_segments_by_segment on clip_segments (session_id, sequence)`.execute(db)
  await sql`
    create table user_quotas (
      user_id text primary key,
      used_bytes bigint not null default 0 check (used_bytes >= 0),
      reserved_bytes bigint not null default 0 check (reserved_bytes >= 0),
      limit_bytes bigint check (limit_bytes >= 0)
    )`.execute(db)
}
