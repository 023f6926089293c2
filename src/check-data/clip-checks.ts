import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { sql } from 'kysely'
import { enqueue } from '../job/jobs.ts'
import { listLiveNodes } from '../segment/buffer.repo.ts'
import { absent } from '../segment/land-segment.ts'
import type { Check, CheckDeps } from './check.ts'

/** Design, rule 5: what a clip says of its file is so. Reads every file. */
export const clipsHaveFiles: Check = {
  name: 'clips have their file, with its sha256',
  async look(deps) {
    const elsewhere = new Set(await listLiveNodes(deps.db))
    elsewhere.delete(deps.node)
    const { rows } = await sql<{ id: string; path: string; size_bytes: number; sha256: string; node: string | null }>`
      select replay_clips.id, path, files.size_bytes, sha256, node
      from files join replay_clips on file_id = files.id join egress_sessions on egress_sessions.id = session_id
      `.execute(deps.db)
    const wrong: string[] = []
    let looked = 0
    for (const row of rows) {
      const path = join(deps.storagePath, row.path)
      const found = await stat(path).catch(absent)
      if (!found && row.node !== null && elsewhere.has(row.node)) continue
      looked += 1
      if (!found) wrong.push(`${row.id}: ${row.path} is missing`)
      else if (found.size !== row.size_bytes) wrong.push(`${row.id}: ${found.size} bytes, not ${row.size_bytes}`)
      else if ((await sha256Of(path)) !== row.sha256) wrong.push(`${row.id}: its bytes have changed`)
    }
    return { looked, wrong }
  },
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** Design, rule 4, and that nothing is held for nothing. */
export const pinsAreNeeded: Check = {
  name: 'pins belong to clips on their way to a file',
  async look({ db }) {
    const looked = await count(db, sql`select from clip_segments`)
    const { rows } = await sql<{ clip_id: string }>`
      select distinct clip_id from clip_segments join replay_clips on replay_clips.id = clip_id
      where file_id is not null or status = 'failed'`.execute(db)
    const ids = rows.map((row) => row.clip_id)
    return {
      looked,
      wrong: ids,
      repair: async () => {
        const { numAffectedRows = 0n } = await sql`
          delete from clip_segments where clip_id = any(${ids}::uuid[])`.execute(db)
        return Number(numAffectedRows) > 0 ? ids.length : 0
      },
    }
  },
}

export const pinnedAreThere: Check = {
  name: 'pinned segments are not deleted',
  async look({ db }) {
    const looked = await count(db, sql`select from clip_segments`)
    const { rows } = await sql<{ pin: string }>`
      select clip_id || ' needs ' || session_id || '/' || sequence as pin
      from clip_segments cross join generate_series(first_sequence, last_sequence) as sequence
      left join segments using (session_id, sequence)
      where segments.session_id is null or deleted_at is not null`.execute(db)
    return { looked, wrong: rows.map((row) => row.pin) }
  },
}

const STORED_WITHIN_MINUTES = 10

export const clipsComeToRest: Check = {
  name: 'ready clips have a file, or a job that makes it',
  async look({ db }) {
    const looked = await count(db, sql`select from replay_clips where status = 'ready'`)
    const { rows } = await sql<{ id: string; session_id: string }>`
      select id, session_id from replay_clips
      where status = 'ready' and file_id is null
        and created_at < now() - make_interval(mins => ${STORED_WITHIN_MINUTES})
        and not exists (select from graphile_worker.jobs where key = 'store:' || replay_clips.id)`.execute(db)
    return {
      looked,
      wrong: rows.map((row) => row.id),
      repair: async () => {
        for (const { id, session_id } of rows)
          await enqueue(db, 'store_clip', session_id, { clipId: id }, { key: `store:${id}` })
        return rows.length
      },
    }
  },
}

export const filesHaveClips: Check = {
  name: 'file rows belong to a clip',
  async look({ db }) {
    const looked = await count(db, sql`select from files`)
    const { rows } = await sql<{ id: string }>`
      select id from files where not exists (select from replay_clips where file_id = files.id)`.execute(db)
    const ids = rows.map((row) => row.id)
    return {
      looked,
      wrong: ids,
      removes: true,
      repair: async () => {
        await sql`delete from files where id = any(${ids}::uuid[])`.execute(db)
        return ids.length
      },
    }
  },
}

async function count(db: CheckDeps['db'], query: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from (${query}) as looked`.execute(db)
  return rows[0]?.count ?? 0
}
