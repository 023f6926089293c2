import type { Db } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'

/** Sessions whose directories were found; those nobody knows are not among them. */
export async function listSessionsById(db: Db, ids: string[]): Promise<Session[]> {
  if (ids.length === 0) return []
  return db.selectFrom('egress_sessions').selectAll().where('id', 'in', ids).execute()
}
