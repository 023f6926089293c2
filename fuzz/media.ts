import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { makePlan } from '../src/capture/make-plan.ts'
import { clipFragments, initSegment, segmentConfig, segmentFragment } from '../src/media/fragmented-mp4.ts'
import { packFrameIndex, sampleFileBytes, unpackFrameIndex, type FrameIndex } from '../src/media/frame-index.ts'
import { CorruptMp4, mp4HeadBytes, readMp4 } from '../src/media/mp4-read.ts'
import { repackSegment } from '../src/media/sample-file.ts'
import { placeSegments } from '../src/media/timeline.ts'
import { CorruptFrameIndex } from '../src/media/varint.ts'
import { partLength } from '../src/media/virtual-file.ts'
import { parsePlaylist } from '../src/segment/playlist.ts'
import { damage } from './mutate.ts'

/*
 * Readers of bytes: whatever these are, each says what they hold or why they cannot be
 * read. And what a segment is taken for must never break the clips that it is a part of.
 */

const RECORDINGS = new URL('../recordings/', import.meta.url).pathname
const DIRECTORIES = [
  'participant-stopped/out/0192-s1',
  'track-composite-ended/out/s-track',
  'egress-killed/out/s-ghost2',
]

const filesOf = (directory: string, ends: string) =>
  readdirSync(join(RECORDINGS, directory))
    .filter((name) => name.endsWith(ends))
    .toSorted()
    .map((name) => readFileSync(join(RECORDINGS, directory, name)))

/** The sources are read once, when somebody begins. */
function readSources() {
  const recordings = DIRECTORIES.map((directory) => filesOf(directory, '.ts'))
  const playlists = DIRECTORIES.flatMap((directory) => filesOf(directory, '.m3u8'))
  const indexes = recordings.map((files) => files.slice(0, 4).flatMap(indexOf))
  return { recordings, playlists, indexes }
}

function indexOf(file: Buffer): FrameIndex[] {
  const repacked = repackSegment(file, true)
  return 'unreadable' in repacked ? [] : [repacked.frameIndex]
}

export function mediaTargets(): Record<string, fc.IRawProperty<unknown>> {
  const { recordings, playlists, indexes } = readSources()
  const files = recordings.flatMap((of, recording) => of.map((file) => ({ file, recording })))
  const packed = indexes.flat().map((index) => packFrameIndex(index))
  const heads = indexes.map((all) => planOf(all)?.media.mp4.head ?? Buffer.alloc(0))
  return {
    'a playlist': fc.property(fc.constantFrom(...playlists), damage(1), (bytes, change) => {
      checkPlaylist(change(bytes).toString('utf8'))
    }),
    'a segment, its packets damaged': fc.property(
      fc.constantFrom(...files),
      damage(188),
      fc.boolean(),
      ({ file, recording }, change, whole) => checkSegment(change(file), whole, indexes[recording] ?? []),
    ),
    'a segment, its bytes damaged': fc.property(
      fc.constantFrom(...files),
      damage(1),
      fc.boolean(),
      ({ file, recording }, change, whole) => checkSegment(change(file), whole, indexes[recording] ?? []),
    ),
    'a frame index': fc.property(fc.constantFrom(...packed), damage(1), (bytes, change) =>
      checkFrameIndex(change(bytes)),
    ),
    'the index of a clip at rest': fc.property(fc.constantFrom(...heads), damage(1), (bytes, change) =>
      checkMp4(change(bytes)),
    ),
  }
}

function checkPlaylist(text: string): void {
  for (const { fileName, durationMs, programDateTime } of parsePlaylist(text)?.entries ?? []) {
    if (!/^seg_\d{5,9}\.ts$/.test(fileName)) throw new Error(`the file is called ${fileName}`)
    if (!(durationMs >= 1 && durationMs <= 1e9)) throw new Error(`it lasts ${durationMs} ms`)
    if (!Number.isFinite(programDateTime.getTime())) throw new Error('it has no time')
  }
}

function checkSegment(bytes: Buffer, whole: boolean, neighbours: FrameIndex[]): void {
  const repacked = repackSegment(bytes, whole)
  if ('unreadable' in repacked) {
    if (repacked.unreadable === '') throw new Error('no reason is given')
    return
  }
  const { frameIndex, sampleFile } = repacked
  if (sampleFile.length !== sampleFileBytes(frameIndex)) throw new Error('the sizes do not add up')
  const packed = packFrameIndex(frameIndex)
  if (!packFrameIndex(unpackFrameIndex(packed)).equals(packed)) throw new Error('the index does not come back')
  checkClips(frameIndex, neighbours)
}

/** Alone, and between two segments that are as they should be. */
function checkClips(index: FrameIndex, neighbours: FrameIndex[]): void {
  const [first, , third] = neighbours
  planOf([index])
  if (first && third) planOf([first, index, third])
}

/** Ten minutes around, as the longest capture takes them; every part of what comes of it is made. */
function planOf(indexes: FrameIndex[]) {
  const rows = indexes.map((frameIndex, sequence) => ({
    key: String(sequence),
    sequence,
    startMs: sequence * 2000,
    frameIndex,
  }))
  const placed = placeSegments(rows)
  const timeline = {
    sessionId: 'fuzz',
    originMs: 0,
    clock: 'measured' as const,
    placed,
    unreadable: [],
    shared: [{ fromMs: -1e9, toMs: undefined }],
    expiredBefore: -Infinity,
    isGrowing: false,
  }
  const from = (placed[0]?.fromTicks ?? 0) / 90
  const plan = makePlan([timeline], new Date(from + 500), new Date(from + 600_000))
  for (const segment of placed) {
    const config = segmentConfig(segment)
    initSegment(config.video, config.audioConfig)
    segmentFragment(segment)
  }
  if (plan) checkPlan(plan.media)
  return plan
}

function checkPlan({ mp4, cut }: NonNullable<ReturnType<typeof makePlan>>['media']): void {
  const parts = mp4.parts.reduce((sum, part) => sum + partLength(part), 0)
  if (mp4.head.length + parts !== mp4.size) throw new Error('a clip is not as long as it says')
  checkFragments(cut)
  const { mediaStart } = readMp4(mp4.head)
  if (mediaStart !== mp4.head.length) throw new Error('a clip is not read as it was written')
}

function checkFragments(tracks: Parameters<typeof clipFragments>[0]): void {
  const { durations, fragment } = clipFragments(tracks)
  for (const number of durations.keys()) fragment(number)
}

function checkFrameIndex(bytes: Buffer): void {
  let index: FrameIndex
  try {
    index = unpackFrameIndex(bytes)
  } catch (error) {
    if (error instanceof CorruptFrameIndex) return
    throw error
  }
  unpackFrameIndex(packFrameIndex(index))
}

function checkMp4(bytes: Buffer): void {
  try {
    mp4HeadBytes(bytes.subarray(0, 64))
    readMp4(bytes)
  } catch (error) {
    if (!(error instanceof CorruptMp4)) throw error
  }
}
