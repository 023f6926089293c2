import type { Now } from '../clock.ts'
import type { Db } from '../db/connect.ts'
import { cutClip } from '../media/clip-cut.ts'
import { unpackFrameIndex } from '../media/frame-index.ts'
import { buildMp4 } from '../media/mp4-file.ts'
import { placeSegments, type PlacedSegment } from '../media/timeline.ts'
import { readRange } from '../media/virtual-file.ts'
import { takeTurn, type Turns } from '../segment/turns.ts'
import { openSampleIn, sampleKey } from './sample-files.ts'
import type { MakeStill } from './still.ts'

export interface SessionPosterDeps {
  db: Db
  now: Now
  bufferPath: string
  makeStill: MakeStill
  stillTurns: Turns
  sessionPosters: SessionPosters
}

/** What was made of each session lately, or is being made: one ffmpeg a session at a time. */
export type SessionPosters = Map<string, { madeAtMs: number; still: Promise<Buffer | undefined> }>

const FRESH_MS = 5000
/** A session that nobody looked at for so long is forgotten. */
const FORGOTTEN_MS = 60_000

/** A session's newest key frame as a JPEG, at most 5 s after it was made. Undefined before anything landed. */
export async function sessionPoster(deps: SessionPosterDeps, sessionId: string): Promise<Buffer | undefined> {
  const nowMs = deps.now().getTime()
  for (const [id, { madeAtMs }] of deps.sessionPosters)
    if (Math.abs(nowMs - madeAtMs) > FORGOTTEN_MS) deps.sessionPosters.delete(id)
  const known = deps.sessionPosters.get(sessionId)
  if (known && Math.abs(nowMs - known.madeAtMs) < FRESH_MS) return known.still
  // The one before is waited for: there is never a second ffmpeg beside it.
  const still = (known?.still.catch(() => undefined) ?? Promise.resolve()).then(() => makeStill(deps, sessionId))
  deps.sessionPosters.set(sessionId, { madeAtMs: nowMs, still })
  still.catch(() => deps.sessionPosters.delete(sessionId))
  return still
}

async function makeStill(deps: SessionPosterDeps, sessionId: string): Promise<Buffer | undefined> {
  const newest = await findNewestFrames(deps.db, sessionId)
  if (!newest) return undefined
  const frameIndex = unpackFrameIndex(newest.frame_index)
  const key = sampleKey(sessionId, newest.file_name)
  const [segment] = placeSegments([{ key, sequence: newest.sequence, startMs: newest.start_ms, frameIndex }])
  if (!segment) return undefined
  const mp4 = buildMp4(cutClip([{ ...lastKeyFrame(segment), segments: [segment] }]))
  const openSample = openSampleIn(deps.bufferPath)
  return takeTurn(deps.stillTurns, () => deps.makeStill((buffers) => readRange(mp4, 0, mp4.size, openSample, buffers)))
}

function lastKeyFrame({ frameIndex, offset, frameTicks }: PlacedSegment) {
  const { keys, pts } = frameIndex.video
  const fromTicks = offset + (pts[keys.at(-1) ?? 0] ?? 0)
  return { fromTicks, toTicks: fromTicks + frameTicks }
}

async function findNewestFrames(db: Db, sessionId: string) {
  return db
    .selectFrom('segments')
    .innerJoin('segment_frames', (join) =>
      join
        .onRef('segment_frames.session_id', '=', 'segments.session_id')
        .onRef('segment_frames.sequence', '=', 'segments.sequence'),
    )
    .select(['segments.sequence', 'start_ms', 'file_name', 'frame_index'])
    .where('segments.session_id', '=', sessionId)
    .where('deleted_at', 'is', null)
    .orderBy('start_ms', 'desc')
    .limit(1)
    .executeTakeFirst()
}
