import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from '../db/connect.ts'
import { AppError } from '../errors.ts'
import type { Log } from '../log.ts'
import { posterPath } from './clip-path.ts'
import { deleteClipRows, findClip, lockClip } from './clip.repo.ts'
import { changeReserved, changeUsed } from './quota.ts'

export interface DeleteDeps {
  db: Db
  log: Log
  storagePath: string
}

/**
 * Deletes a clip, whatever it is doing: its rows and pins and its share of the quota in
 * one transaction, then its file and its poster. A kill in between leaves files that no row knows,
 * which the hourly sweep removes. Throws `not_found`.
 */
export async function deleteClip(deps: DeleteDeps, clipId: string): Promise<{ freedBytes: number }> {
  const deleted = await deps.db.transaction().execute(async (trx) => {
    const clip = await lockClip(trx, clipId)
    if (!clip) throw new AppError('not_found', 'there is no such clip')
    const stored = await findClip(trx, clipId)
    await changeReserved(trx, clip.user_id, -clip.reserved_bytes)
    if (clip.file_id) await changeUsed(trx, clip.user_id, -(clip.size_bytes ?? 0))
    await deleteClipRows(trx, clip)
    return { freedBytes: clip.size_bytes ?? 0, paths: [posterPath(clip), stored?.file_path ?? []].flat() }
  })
  for (const path of deleted.paths) await rm(join(deps.storagePath, path), { force: true })
  deps.log.info('clip deleted', { clipId, freedBytes: deleted.freedBytes })
  return { freedBytes: deleted.freedBytes }
}
