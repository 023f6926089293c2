import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, unlink, writeFile } from 'node:fs/promises'
import type { FrameIndex } from '../media/frame-index.ts'
import { packFrameIndex } from '../media/frame-index.ts'
import { releaseBytes } from '../media/release.ts'
import { repackSegment } from '../media/sample-file.ts'
import { placeSegments } from '../media/timeline.ts'
import { bufferPathOf, sampleFileName } from './buffer-path.ts'
import { LONGEST_SEGMENT_MS, type LandedSegment } from './segment.repo.ts'

/*
 * A segment's way from what egress wrote to what a clip is made of. In this order, so
 * that a kill between any two steps leaves something that the next look or the sweep
 * finishes: the sample file under a temporary name of its own, its rename, the row, the
 * end of the `.ts`.
 */

/** A closed segment that is to land. */
export interface ClosedSegment {
  sequence: number
  fileName: string
  /** Media time as the playlist has it: tells how often the 33-bit clock came around, and stands in for what cannot be read. */
  startMs: number
  durationMs: number
  /** A playlist names it, so it is whole. One that none names must be, and begin where it should. */
  isListed: boolean
}

export interface LandingContext {
  bufferPath: string
  sessionId: string
  /** Where a test may end the process. */
  reached?: Reached | undefined
}

/** A segment's row as far as its file says. */
export type LandedFile = Omit<LandedSegment, 'session_id' | 'landed_at'>

export type Reached = (step: string) => void

/**
 * Makes the sample file of one closed segment and returns its row, not yet recorded.
 * One that cannot be read is kept as it is, and its row says why. Undefined when the
 * file is not there (any more), or is one that nothing vouches for and is not whole.
 */
export async function landSegment(context: LandingContext, closed: ClosedSegment): Promise<LandedFile | undefined> {
  const { bufferPath, sessionId } = context
  const source = await readFile(bufferPathOf(bufferPath, sessionId, closed.fileName)).catch(absent)
  if (!source) return undefined
  const { sequence } = closed
  const sourceBytes = source.length
  const repacked = repackSegment(source, closed.isListed)
  releaseBytes(source)
  const time = 'unreadable' in repacked ? undefined : mediaTime(closed, repacked.frameIndex)
  if ('unreadable' in repacked || !time || time.duration_ms > LONGEST_SEGMENT_MS) {
    if (!closed.isListed) return undefined
    const why = 'unreadable' in repacked ? repacked.unreadable : 'longer than a segment can be'
    const times = {
      start_ms: Math.max(0, closed.startMs),
      duration_ms: Math.min(closed.durationMs, LONGEST_SEGMENT_MS),
    }
    const file = { file_name: closed.fileName, size_bytes: sourceBytes }
    return { sequence, ...times, ...file, unreadable: why, frame_index: null }
  }
  const isWhole = !repacked.cut && sourceBytes % TS_PACKET_BYTES === 0
  if (!closed.isListed && !(isWhole && followsOn(closed, time.start_ms))) return undefined
  const fileName = sampleFileName(closed.fileName)
  const sizeBytes = repacked.sampleFile.length
  await writeSampleFile(context, fileName, repacked.sampleFile)
  releaseBytes(repacked.sampleFile)
  return {
    sequence,
    ...time,
    file_name: fileName,
    size_bytes: sizeBytes,
    unreadable: null,
    frame_index: packFrameIndex(repacked.frameIndex),
  }
}

const TS_PACKET_BYTES = 188

/** Two pictures of a slow share: the timestamps of one egress go on without a break. */
const FOLLOW_TOLERANCE_MS = 100

function followsOn(closed: ClosedSegment, startMs: number): boolean {
  return Math.abs(startMs - closed.startMs) <= FOLLOW_TOLERANCE_MS
}

/** The temporary name is this landing's own: another instance on the same disk may be landing the same segment. */
async function writeSampleFile(context: LandingContext, fileName: string, bytes: Buffer): Promise<void> {
  const path = bufferPathOf(context.bufferPath, context.sessionId, fileName)
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`
  try {
    await writeFile(temporary, bytes)
    context.reached?.('temporary file written')
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  context.reached?.('sample file renamed')
}

/** The `.ts` of a segment whose row is there: its frames are in the sample file. */
export async function unlinkSource(bufferPath: string, sessionId: string, landed: LandedSegment): Promise<void> {
  if (landed.unreadable !== null) return
  const source = landed.file_name.replace(/\.samples$/, '.ts')
  await unlink(bufferPathOf(bufferPath, sessionId, source)).catch(absent)
}

/** By the frames themselves: tick 0 is PTS 3600 s, the session's `startedAt` (contract section 9). */
function mediaTime({ fileName, sequence, startMs }: ClosedSegment, frameIndex: FrameIndex) {
  const [placed] = placeSegments([{ key: fileName, sequence, startMs, frameIndex }])
  if (!placed) throw new Error('one segment has one place')
  const fromMs = Math.max(0, Math.round(placed.fromTicks / 90))
  return { start_ms: fromMs, duration_ms: Math.max(1, Math.round(placed.toTicks / 90) - fromMs) }
}

/** Gone already is fine; anything else is not. */
export function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
