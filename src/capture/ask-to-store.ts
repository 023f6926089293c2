import { sql, type RawBuilder } from 'kysely'
import type { Trx } from '../db/connect.ts'
import { addJob } from '../job/jobs.ts'

/** To start ffmpeg holds everything up for some milliseconds: not those in which the press is answered. */
const POSTER_AFTER_MS = 200

/** A clip is ready: it comes to rest, and gets its poster. As SQL expressions. */
export function storeJobs(sessionId: string, clipId: string): RawBuilder<unknown>[] {
  return [
    addJob('store_clip', sessionId, { clipId }, { key: `store:${clipId}` }),
    addJob('make_poster', sessionId, { clipId }, { key: `poster:${clipId}`, inMs: POSTER_AFTER_MS }),
  ]
}

export async function askToStore(trx: Trx, sessionId: string, clipId: string): Promise<void> {
  await sql`select ${sql.join(storeJobs(sessionId, clipId))}`.execute(trx)
}
