import { sql, type Kysely } from 'kysely'

/**
 * The index of what lies on the disk. A row without deleted_at means that the whole
 * file is there. Media time: milliseconds since the session's first segment.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table segments (
      session_id uuid not null references egress_sessions on delete cascade,
      sequence integer not null check (sequence >= 0),
      start_ms integer not null check (start_ms >= 0),
      duration_ms integer not null check (duration_ms > 0),
      size_bytes integer not null check (size_bytes >= 0),
      file_name text not null check (file_name ~ '^[A-Za-z0-9_.-]+$'),
      landed_at timestamptz not null,
      deleted_at timestamptz,
      unreadable text,
      primary key (session_id, sequence)
    ) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02)`.execute(db)
  await sql`
    create index segments_by_time on segments (session_id, start_ms)
    include (sequence, duration_ms, size_bytes, file_name, unreadable)
    where deleted_at is null`.execute(db)
  await sql`
    create table segment_frames (
      session_id uuid not null,
      sequence integer not null,
      frame_index bytea not null,
      primary key (session_id, sequence),
      foreign key (session_id, sequence) references segments on delete cascade
    )`.execute(db)
}
