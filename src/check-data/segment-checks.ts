import { readdir, stat } from 'node:fs/promises'
import { sql } from 'kysely'
import type { Session } from '../db/schema.ts'
import { isOurId } from '../own-id.ts'
import { bufferPathOf } from '../segment/buffer-path.ts'
import { listSessionsById } from '../segment/buffer.repo.ts'
import { deleteDirectory, deleteFiles } from '../segment/delete-files.ts'
import { absent } from '../segment/land-segment.ts'
import { findLeftovers } from '../segment/leftovers.ts'
import { isPinned, listLive } from '../segment/segment.repo.ts'
import type { Check, CheckDeps } from './check.ts'

/** Design, rule 3: a row without `deleted_at` means that the whole file is there. */
export const rowsHaveFiles: Check = {
  name: 'segments have their file, whole',
  async look(deps) {
    const lost: { sessionId: string; sequence: number; fileName: string }[] = []
    let looked = 0
    for (const session of await listSessionsHere(deps)) {
      const rows = await listLive(deps.db, session.id)
      looked += rows.length
      for (const { sequence, file_name: fileName, size_bytes } of rows) {
        const found = await stat(bufferPathOf(deps.bufferPath, session.id, fileName)).catch(absent)
        if (found?.size === size_bytes) continue
        if (await isLive(deps, session.id, sequence)) lost.push({ sessionId: session.id, sequence, fileName })
      }
    }
    return {
      looked,
      wrong: lost.map(({ sessionId, fileName }) => `${sessionId}/${fileName}`),
      removes: true,
      repair: async () => {
        let marked = 0
        for (const { sessionId, sequence } of lost) marked += await markLost(deps, sessionId, sequence)
        return marked
      },
    }
  },
}

/** Retention may have marked it since the rows were read. */
async function isLive({ db }: CheckDeps, sessionId: string, sequence: number): Promise<boolean> {
  const row = await db
    .selectFrom('segments')
    .select('deleted_at')
    .where('session_id', '=', sessionId)
    .where('sequence', '=', sequence)
    .executeTakeFirst()
  return row !== undefined && row.deleted_at === null
}

/** One that a clip needs stays as it is: the clip is broken, and that is for a person to see. */
async function markLost({ db, now }: CheckDeps, sessionId: string, sequence: number): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    update segments set deleted_at = ${now()}
    where session_id = ${sessionId} and sequence = ${sequence} and deleted_at is null and not ${isPinned}
    `.execute(db)
  return Number(numAffectedRows)
}

export const filesHaveRows: Check = {
  name: 'files in the buffer have their segment',
  async look(deps) {
    const found: { session: Session; leftovers: string[] }[] = []
    let looked = 0
    for (const session of await listDirectories(deps)) {
      if (session.purged_at) continue
      const { files, leftovers } = await findLeftovers(deps, session)
      looked += files
      if (leftovers.length > 0) found.push({ session, leftovers })
    }
    return {
      looked,
      wrong: found.flatMap(({ session, leftovers }) => leftovers.map((name) => `${session.id}/${name}`)),
      removes: true,
      repair: async () => {
        let deleted = 0
        for (const { session, leftovers } of found) deleted += await deleteFiles(deps, session.id, leftovers)
        return deleted
      },
    }
  },
}

export const segmentsHaveFrames: Check = {
  name: 'readable segments have their frame index',
  async look({ db }) {
    const { rows } = await sql<{ looked: number; wrong: string[] }>`
      select count(*) as looked,
        coalesce(array_agg(session_id || '/' || sequence) filter (where frame_index is null), '{}') as wrong
      from segments left join segment_frames using (session_id, sequence)
      where deleted_at is null and unreadable is null`.execute(db)
    const { looked = 0, wrong = [] } = rows[0] ?? {}
    return {
      looked,
      wrong,
      repair: async () => {
        const { numAffectedRows = 0n } = await sql`
          update segments set unreadable = 'its frame index is lost'
          where session_id || '/' || sequence = any(${wrong}) and deleted_at is null`.execute(db)
        return Number(numAffectedRows)
      },
    }
  },
}

export const directoriesHaveSessions: Check = {
  name: 'directories in the buffer have their session',
  async look(deps) {
    const names = await ourNames(deps)
    const known = new Set((await listSessionsById(deps.db, names)).map((session) => session.id))
    // The service deletes them, once they are a day old and LiveKit does not know them either.
    return { looked: names.length, wrong: names.filter((name) => !known.has(name)) }
  },
}

export const purgedAreGone: Check = {
  name: 'purged buffers are gone from the disk',
  async look(deps) {
    const sessions = await listDirectories(deps)
    const wrong = sessions.filter((session) => session.purged_at !== null).map((session) => session.id)
    return {
      looked: sessions.length,
      wrong,
      removes: true,
      repair: async () => {
        const deleted = await Promise.all(wrong.map((id) => deleteDirectory(deps, id)))
        return deleted.filter(Boolean).length
      },
    }
  },
}

/** Sessions that have, or should have, a buffer on this node's disk. */
async function listSessionsHere({ db, node }: CheckDeps): Promise<Session[]> {
  return db
    .selectFrom('egress_sessions')
    .selectAll()
    .where('purged_at', 'is', null)
    .where((eb) => eb.or([eb('node', 'is', null), eb('node', '=', node)]))
    .execute()
}

async function listDirectories(deps: CheckDeps): Promise<Session[]> {
  return listSessionsById(deps.db, await ourNames(deps))
}

async function ourNames({ bufferPath }: CheckDeps): Promise<string[]> {
  return ((await readdir(bufferPath).catch(absent)) ?? []).filter(isOurId)
}
