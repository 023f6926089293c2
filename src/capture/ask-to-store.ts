import { sql, type RawBuilder } from 'kysely'
import type { Trx } from '../db/connect.ts'
import { addJobs, jobSpec } from '../job/jobs.ts'

/** To start ffmpeg holds everything up for some milliseconds: not those in which the press is answered. */
const POSTER_AFTER_MS = 200

/** A clip is ready: it comes to rest, and gets its poster. An SQL expression. */
export function addStoreJobs(sessionId: string, clipId: string): RawBuilder<unknown> {
  return addJobs([
    jobSpec('store_clip', sessionId, { clipId }, { key: `store:${clipId}` }),
    jobSpec('make_poster', sessionId, { clipId }, { key: `poster:${clipId}`, inMs: POSTER_AFTER_MS }),
  ])
}

export async function askToStore(trx: Trx, sessionId: string, clipId: string): Promise<void> {
  await sql`select ${addStoreJobs(sessionId, clipId)}`.execute(trx)
}
