import type { Trx } from '../db/connect.ts'
import { enqueue } from '../job/jobs.ts'

/** To start ffmpeg holds everything up for some milliseconds: not those in which the press is answered. */
const POSTER_AFTER_MS = 200

/** A clip is ready: it comes to rest, and gets its poster. */
export async function askToStore(trx: Trx, sessionId: string, clipId: string): Promise<void> {
  await enqueue(trx, 'store_clip', sessionId, { clipId }, { key: `store:${clipId}` })
  await enqueue(trx, 'make_poster', sessionId, { clipId }, { key: `poster:${clipId}`, inMs: POSTER_AFTER_MS })
}
