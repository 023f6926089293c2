import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemNow } from '../clock.ts'
import type { Db } from '../db/connect.ts'
import { absent } from '../segment/land-segment.ts'
import type { Check, CheckDeps } from './check.ts'

/** A file that is being written, or whose row is about to be. */
const YOUNG_MS = 3_600_000

/** As `store_clip` names them: `<user id hash>/<clip id>.mp4`, and `.tmp` behind it on the way; posters beside it, `.jpg.<id>.tmp` on theirs. */
const CLIP_FILE = /^([0-9a-f-]{36})(\.[a-z0-9-]+)+$/

export const storageHasClips: Check = {
  name: 'files in the storage belong to a clip',
  async look(deps) {
    const { looked, stray } = await findStray(deps)
    return { looked, wrong: stray, removes: true, repair: () => deleteStray(deps, stray) }
  },
}

/**
 * Each hour: files whose clip was deleted while the service was killed. Returns how many.
 * When most belong to no clip, it is the database that is another one: they are left.
 */
export async function sweepStorage(deps: Pick<CheckDeps, 'db' | 'storagePath' | 'log'>): Promise<{ files: number }> {
  const { looked, stray } = await findStray(deps)
  if (stray.length * 2 <= looked) return { files: await deleteStray(deps, stray) }
  if (stray.length > 0)
    deps.log.error('most files in the storage have no clip, left alone', { looked, stray: stray.length })
  return { files: 0 }
}

async function findStray({
  db,
  storagePath,
}: Pick<CheckDeps, 'db' | 'storagePath'>): Promise<{ looked: number; stray: string[] }> {
  const stray: string[] = []
  let looked = 0
  for (const folder of (await readdir(storagePath).catch(absent)) ?? []) {
    if (!/^[0-9a-f]{24}$/.test(folder)) continue
    const names = await readdir(join(storagePath, folder))
    looked += names.length
    const known = await knownClips(db, names)
    for (const name of names) {
      const id = CLIP_FILE.exec(name)?.[1]
      if (id === undefined || known.has(id)) continue
      const found = await stat(join(storagePath, folder, name)).catch(absent)
      if (found && systemNow().getTime() - found.mtimeMs > YOUNG_MS) stray.push(join(folder, name))
    }
  }
  return { looked, stray }
}

async function knownClips(db: Db, names: string[]): Promise<Set<string>> {
  const ids = names.flatMap((name) => CLIP_FILE.exec(name)?.[1] ?? [])
  if (ids.length === 0) return new Set()
  const rows = await db.selectFrom('replay_clips').select('id').where('id', 'in', ids).execute()
  return new Set(rows.map((row) => row.id))
}

async function deleteStray({ storagePath }: Pick<CheckDeps, 'storagePath'>, stray: string[]): Promise<number> {
  for (const path of stray) await rm(join(storagePath, path), { force: true })
  return stray.length
}
