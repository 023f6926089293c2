import { sql, type Kysely } from 'kysely'

/**
 * Which instances there are, and where each is asked for what lies on its disk. And the
 * segments' tables vacuumed by their churn: a row lives for minutes, is marked, and goes
 * a day later, while the index answers ranges only from pages known to be all visible.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table instances (
      node text not null check (node <> ''),
      url text not null,
      seen_at timestamptz not null,
      primary key (node, url)
    )`.execute(db)
  await sql`
    alter table segments set (
      autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0.01,
      autovacuum_vacuum_insert_threshold = 2000, autovacuum_vacuum_insert_scale_factor = 0.01,
      autovacuum_analyze_scale_factor = 0.05
    )`.execute(db)
  await sql`
    alter table segment_frames set (
      autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0.01
    )`.execute(db)
  await sql`
    create index egress_sessions_purged on egress_sessions (purged_at)
    where purged_at is not null`.execute(db)
}
