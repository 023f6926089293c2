import { sql, type Kysely } from 'kysely'

/**
 * A pin holds a run of segments: ten minutes are one row instead of three hundred, each
 * checked against two tables, in the moment of the press.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table clip_segments rename to clip_segments_before`.execute(db)
  await sql`
    create table clip_segments (
      clip_id uuid not null references replay_clips on delete cascade,
      session_id uuid not null,
      first_sequence integer not null,
      last_sequence integer not null,
      constraint clip_segments_key primary key (clip_id, session_id, first_sequence),
      foreign key (session_id, first_sequence) references segments,
      foreign key (session_id, last_sequence) references segments,
      check (first_sequence <= last_sequence)
    )`.execute(db)
  await sql`
    insert into clip_segments
    select clip_id, session_id, min(sequence), max(sequence)
    from (
      select *, sequence - row_number() over (partition by clip_id, session_id order by sequence) as run
      from clip_segments_before) as numbered
    group by clip_id, session_id, run`.execute(db)
  await sql`drop table clip_segments_before`.execute(db)
  await sql`create index clip_segments_by_session on clip_segments (session_id)`.execute(db)
}
