import { sql } from 'kysely'
import type { Db } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import { isPinned } from './segment.repo.ts'

/** Sessions whose directories were found; those nobody knows are not among them. */
export async function listSessionsById(db: Db, ids: string[]): Promise<Session[]> {
  if (ids.length === 0) return []
  return db.selectFrom('egress_sessions').selectAll().where('id', 'in', ids).execute()
}

/** An instance that has not been seen for this long is gone, with its disk. */
const GONE_MINUTES = 5

/** Nodes that somebody is, or was some minutes ago. */
export async function listLiveNodes(db: Db): Promise<string[]> {
  const { rows } = await sql<{ node: string }>`
    select distinct node from instances
    where seen_at > now() - make_interval(mins => ${GONE_MINUTES})`.execute(db)
  return rows.map((row) => row.node)
}

/** How much a session has on the disk. */
export interface BufferSize {
  sessionId: string
  durationMs: number
}

/** What could be deleted of each session of a node: segments that no clip needs. */
export async function listUnpinnedBuffers(db: Db, node: string): Promise<BufferSize[]> {
  const { rows } = await sql<{ session_id: string; duration_ms: number }>`
    select session_id, sum(duration_ms) as duration_ms
    from segments join egress_sessions on egress_sessions.id = session_id
    where deleted_at is null and purged_at is null and node = ${node}
      and not ${isPinned}
    group by session_id`.execute(db)
  return rows.map((row) => ({ sessionId: row.session_id, durationMs: row.duration_ms }))
}

const BATCH = 5000

/** Deletes the rows of sessions that were purged before this; in batches, for others write there too. */
export async function deleteOldRows(db: Db, purgedBefore: Date): Promise<number> {
  let deleted = 0
  for (;;) {
    const { numAffectedRows = 0n } = await sql`
      delete from segments where (session_id, sequence) in (
        select session_id, sequence from segments
        join egress_sessions on egress_sessions.id = session_id
        where purged_at < ${purgedBefore} and deleted_at is not null
        limit ${BATCH})`.execute(db)
    deleted += Number(numAffectedRows)
    if (numAffectedRows < BATCH) return deleted
  }
}
