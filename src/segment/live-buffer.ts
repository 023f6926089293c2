import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Db } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import { initSegment, segmentConfig, segmentFragment } from '../media/fragmented-mp4.ts'
import { unpackFrameIndex } from '../media/frame-index.ts'
import { placeSegments, type PlacedSegment } from '../media/timeline.ts'
import type { Buffers } from '../media/pump.ts'
import { readRange } from '../media/virtual-file.ts'
import { bufferPathOf } from './buffer-path.ts'
import { findReadable, listFrames, listSegments } from './segment.repo.ts'
import type { BufferSegment } from './live-playlist.ts'

/*
 * A buffer as a player takes it: fragmented MP4 made of sample files, while they are there.
 */

export interface LiveBufferDeps {
  db: Db
  bufferPath: string
  liveConfigs: LiveConfigs
}

/** Which init segment each segment of a watched session needs: read once, for a playlist is asked for again and again. */
export type LiveConfigs = Map<string, Map<number, string>>

export const createLiveConfigs = (): LiveConfigs => new Map()

const WATCHED_SESSIONS = 64
const ALL_MS = 2 ** 31 - 1

/** The session's segments as they are now, and how often the configuration changed before them. */
export async function listBuffer(
  deps: LiveBufferDeps,
  sessionId: string,
): Promise<{ segments: BufferSegment[]; changesBefore: number }> {
  const rows = await listSegments(deps.db, sessionId, 0, ALL_MS)
  const known = watched(deps.liveConfigs, sessionId)
  const fresh = rows.filter((row) => row.unreadable === null && !known.has(row.sequence)).map((row) => row.sequence)
  if (fresh.length > 0)
    for (const [sequence, packed] of await listFrames(deps.db, sessionId, fresh))
      known.set(sequence, configName(place(sequence, packed)))
  const segments = rows.map((row) => ({
    sequence: row.sequence,
    startMs: row.start_ms,
    durationMs: row.duration_ms,
    config: row.unreadable === null ? known.get(row.sequence) : undefined,
  }))
  return { segments, changesBefore: countChanges(known, rows[0]?.sequence ?? 0) }
}

function watched(configs: LiveConfigs, sessionId: string): Map<number, string> {
  const known = configs.get(sessionId) ?? new Map<number, string>()
  configs.delete(sessionId)
  configs.set(sessionId, known)
  for (const oldest of configs.keys()) if (configs.size > WATCHED_SESSIONS) configs.delete(oldest)
  return known
}

function countChanges(known: Map<number, string>, before: number): number {
  let changes = 0
  let last: string | undefined
  for (const [sequence, config] of [...known].toSorted(([a], [b]) => a - b)) {
    if (sequence > before) break
    if (last !== undefined && config !== last) changes += 1
    last = config
  }
  return changes
}

/** Bytes that never change, under this name. */
export interface LiveFile {
  size: number
  read: (start: number, end: number, buffers?: Buffers) => AsyncIterable<Buffer>
}

/** `init-<config>.mp4`. Undefined when no segment of the session needs it. */
export async function openInit(deps: LiveBufferDeps, sessionId: string, config: string): Promise<LiveFile | undefined> {
  const { segments } = await listBuffer(deps, sessionId)
  const one = segments.find((segment) => segment.config === config)
  const packed = one && (await listFrames(deps.db, sessionId, [one.sequence])).get(one.sequence)
  if (!one || !packed) return undefined
  const { video, audioConfig } = segmentConfig(place(one.sequence, packed))
  return fileOf(initSegment(video, audioConfig))
}

/** `segment-<sequence>.m4s`. Undefined when it is not there (any more). */
export async function openSegment(
  deps: LiveBufferDeps,
  session: Session,
  sequence: number,
): Promise<LiveFile | undefined> {
  const row = await findReadable(deps.db, session.id, sequence)
  if (!row) return undefined
  const { head, length } = segmentFragment(place(sequence, row.frame_index, row.start_ms))
  return fileOf(head, { path: bufferPathOf(deps.bufferPath, session.id, row.file_name), length })
}

function fileOf(head: Buffer, rest?: { path: string; length: number }): LiveFile {
  const parts = rest ? [{ key: rest.path, offset: 0, length: rest.length }] : []
  const openSample = (path: string) => open(path, 'r')
  const file = { head, parts, size: head.length + (rest?.length ?? 0) }
  return { size: file.size, read: (start, end, buffers) => readRange(file, start, end, openSample, buffers) }
}

function place(sequence: number, packed: Buffer, startMs = 0): PlacedSegment {
  const [placed] = placeSegments([{ key: '', sequence, startMs, frameIndex: unpackFrameIndex(packed) }])
  if (!placed) throw new Error('one segment has one place')
  return placed
}

/** By what is in it: the same on every instance, and after a restart. */
function configName(placed: PlacedSegment): string {
  const { video, audioConfig } = segmentConfig(placed)
  const hash = createHash('sha256').update(video.sps).update(video.pps).update(`${audioConfig}`)
  return hash.digest('hex').slice(0, 12)
}
