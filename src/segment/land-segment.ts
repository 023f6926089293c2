import { readFile, rename, unlink, writeFile } from 'node:fs/promises'
import type { FrameIndex } from '../media/frame-index.ts'
import { packFrameIndex } from '../media/frame-index.ts'
import { repackSegment } from '../media/sample-file.ts'
import { placeSegments } from '../media/timeline.ts'
import { bufferPathOf, sampleFileName } from './buffer-path.ts'
import type { PlaylistEntry } from './playlist.ts'
import type { LandedSegment } from './segment.repo.ts'

/*
 * A segment's way from what egress wrote to what a clip is made of. In this order, so
 * that a kill between any two steps leaves something that the next look finishes:
 * the sample file under a temporary name, its rename, the row, the end of the `.ts`.
 */

export interface LandingContext {
  bufferPath: string
  sessionId: string
  /** Media time by the playlist, which tells how often the 33-bit clock came around and stands in for what cannot be read. */
  startMsOf: (entry: PlaylistEntry) => number
  now: () => Date
}

/**
 * Makes the sample file of one closed segment and returns its row, not yet recorded.
 * One that cannot be read is kept as it is, and its row says why. Undefined when the
 * file is not there (any more).
 */
export async function landSegment(context: LandingContext, entry: PlaylistEntry): Promise<LandedSegment | undefined> {
  const { bufferPath, sessionId } = context
  const source = await readFile(bufferPathOf(bufferPath, sessionId, entry.fileName)).catch(absent)
  if (!source) return undefined
  const common = { session_id: sessionId, sequence: entry.sequence, landed_at: context.now() }
  const repacked = repackSegment(source, true)
  if ('unreadable' in repacked) {
    const times = { start_ms: Math.max(0, context.startMsOf(entry)), duration_ms: entry.durationMs }
    const file = { file_name: entry.fileName, size_bytes: source.length }
    return { ...common, ...times, ...file, unreadable: repacked.unreadable, frame_index: null }
  }
  const fileName = sampleFileName(entry.fileName)
  const path = bufferPathOf(bufferPath, sessionId, fileName)
  await writeFile(`${path}.tmp`, repacked.sampleFile)
  await rename(`${path}.tmp`, path)
  return {
    ...common,
    ...mediaTime(entry, context.startMsOf(entry), repacked.frameIndex),
    file_name: fileName,
    size_bytes: repacked.sampleFile.length,
    unreadable: null,
    frame_index: packFrameIndex(repacked.frameIndex),
  }
}

/** The `.ts` of a segment whose row is there: its frames are in the sample file. */
export async function unlinkSource(bufferPath: string, sessionId: string, landed: LandedSegment): Promise<void> {
  if (landed.unreadable !== null) return
  const source = landed.file_name.replace(/\.samples$/, '.ts')
  await unlink(bufferPathOf(bufferPath, sessionId, source)).catch(absent)
}

/** By the frames themselves: tick 0 is PTS 3600 s, the session's `startedAt` (contract section 9). */
function mediaTime(entry: PlaylistEntry, startMs: number, frameIndex: FrameIndex) {
  const [placed] = placeSegments([{ key: entry.fileName, sequence: entry.sequence, startMs, frameIndex }])
  if (!placed) throw new Error('one segment has one place')
  const fromMs = Math.max(0, Math.round(placed.fromTicks / 90))
  return { start_ms: fromMs, duration_ms: Math.max(1, Math.round(placed.toTicks / 90) - fromMs) }
}

/** Gone already is fine; anything else is not. */
export function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
