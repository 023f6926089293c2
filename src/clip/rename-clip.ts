import type { Db } from '../db/connect.ts'
import { setClip } from './clip.repo.ts'

/** Gives a clip a title, or takes it away. */
export async function renameClip(db: Db, clipId: string, title: string | null): Promise<void> {
  await db.transaction().execute((trx) => setClip(trx, clipId, { title }))
}
