/**
 * The same bytes as HLS: an init segment, and for each segment a `moof` in front of a byte range.
 *
 * - A clip's fragments are ranges of its MP4 file, whether that is virtual or at rest; a live buffer's are whole sample
 *   files. Each begins with a keyframe (RFC 8216bis, 3.1.2).
 * - The first picture of a fragment is decoded when it is shown, so later ones may have negative offsets (as CMAF has
 *   it): hls.js puts the first decode time at the playlist's 0.
 * - A clip begins inside its first fragment. hls.js and MSE leave out no picture before an instant (an edit list only
 *   moves them, an append window drops the whole group), so those pictures get a tick each right before it, and the
 *   playlist says `#EXT-X-START:TIME-OFFSET=<startOffsetSeconds>,PRECISE=YES` (RFC 8216, 4.3.5.2).
 */
import { FRAME_SAMPLES, readAudioConfig } from './aac.ts'
import { makeRising } from './decode-times.ts'
import { sampleFileBytes, videoBytes } from './frame-index.ts'
import { ftyp, mdatHeader } from './mp4-boxes.ts'
import { initMoov, sampleRateOf } from './mp4-file.ts'
import { moof, type TrackRun } from './moof.ts'
import { readPictureSize } from './sps.ts'
import type { PlacedSegment } from './timeline.ts'
import type { AudioTrack, Chunk, Tracks, VideoConfig, VideoTrack } from './tracks.ts'

/**
 * How far into the first picture a player should start: Chromium, when paused, takes what ends less than half a picture
 * before the instant for the picture to show (measured, 30 and 60 fps).
 */
const INTO_FIRST_PICTURE = 0.75

/** Media time 0 in fragments: decode times lie before presentation times, and cannot be negative. Ten seconds. */
const BASE_SECONDS = 10
const BASE_TICKS = BASE_SECONDS * 90000

export type Fragment = {
  /** `moof` and the header of `mdat`; the range follows it. */
  head: Buffer
  /** The range: from the first byte after the file's head, or of the sample file. */
  offset: number
  length: number
  durationTicks: number
}

export function initSegment(video: VideoConfig, audioConfig: number | null): Buffer {
  return Buffer.concat([ftyp('iso6', 'iso6', 'mp41'), initMoov(video, audioConfig)])
}

/** A whole segment, for a live buffer. Its range is all of its sample file. */
export function segmentFragment(segment: PlacedSegment): Fragment {
  const { frameIndex, offset } = segment
  const { video, audio } = frameIndex
  const shift = BASE_TICKS + offset
  const delay = video.pts[0]!
  const keys = new Set(video.keys)
  const samples = Array.from(video.sizes, (size, i) => ({
    size,
    duration: i + 1 < video.dts.length ? video.dts[i + 1]! - video.dts[i]! : segment.frameTicks,
    offset: video.pts[i]! - video.dts[i]! - delay,
    key: keys.has(i),
  }))
  const runs: TrackRun[] = [{ track: 1, baseTime: shift + delay, dataOffset: 0, samples }]
  if (audio) runs.push(segmentSound(segment, shift))
  const length = sampleFileBytes(frameIndex)
  const durationTicks = segment.toTicks - segment.fromTicks
  return { head: withMdat(moof(segment.sequence + 1, runs), length), offset: 0, length, durationTicks }
}

/** What a live buffer's init segment needs to know. */
export function segmentConfig({ frameIndex }: PlacedSegment): { video: VideoConfig; audioConfig: number | null } {
  const { sps, pps, audio } = frameIndex
  const size = readPictureSize(sps) ?? { width: 0, height: 0 }
  return { video: { ...size, sps, pps, inBand: false }, audioConfig: audio?.config ?? null }
}

export type ClipFragments = {
  /** Of each fragment, in ticks: all that a playlist needs. */
  durations: number[]
  startOffsetSeconds: number
  /** One fragment, made when it is asked for. */
  fragment: (number: number) => Fragment | undefined
}

/** A clip's fragments, from its plan or from its file at rest. */
export function clipFragments(tracks: Tracks): ClipFragments {
  const { video, audio, chunks } = tracks
  const lead = leadOf(video)
  const groups = groupChunks(chunks)
  const starts = groups.map((group) => shownFrom(video, lead, group.firstPicture))
  // A playlist needs neither, and a press is followed by a playlist.
  let keys: Set<number> | undefined
  let times: Times | undefined
  const durations = groups.map((_, i) => (starts[i + 1] ?? tracks.durationTicks) - (i === 0 ? 0 : starts[i]!))
  const keysOf = () => (keys ??= new Set(video.keys))
  const timesOf = () => (times ??= shownTimes(video, lead))
  const fragment = (number: number) => {
    const group = groups[number]
    if (!group) return undefined
    const runs = group.chunks.map((placed) =>
      placed.chunk.track === 'video' ? videoRun(video, keysOf(), timesOf(), placed) : audioRun(audio!, placed),
    )
    const head = withMdat(moof(number + 1, runs), group.length)
    return { head, offset: group.offset, length: group.length, durationTicks: durations[number]! }
  }
  let firstEnd = Infinity
  for (let i = 0; i < video.pts.length; i += 1) {
    const pts = video.pts[i]!
    if (pts > video.edit.mediaTime && pts < firstEnd) firstEnd = pts
  }
  const firstTicks = Math.min(firstEnd - video.edit.mediaTime, tracks.durationTicks)
  const startTicks = starts[0] === 0 ? 0 : firstTicks * INTO_FIRST_PICTURE - starts[0]!
  return { durations, startOffsetSeconds: startTicks / 90000, fragment }
}

type PlacedChunk = { chunk: Chunk; firstSample: number; offset: number }

type Group = { chunks: PlacedChunk[]; firstPicture: number; offset: number; length: number }

/** A group is a chunk of pictures and the sound after it; the first one has the sound before it too. */
function groupChunks(chunks: Chunk[]): Group[] {
  const groups: Group[] = []
  const next = { video: 0, audio: 0 }
  let at = 0
  for (const chunk of chunks) {
    const open = groups.at(-1)
    const group = !open || (chunk.track === 'video' && open.firstPicture >= 0) ? newGroup(groups, at) : open
    if (chunk.track === 'video') group.firstPicture = next.video
    group.chunks.push({ chunk, firstSample: next[chunk.track], offset: at - group.offset })
    group.length += chunk.bytes
    next[chunk.track] += chunk.samples
    at += chunk.bytes
  }
  return groups
}

function newGroup(groups: Group[], offset: number): Group {
  const group = { chunks: [], firstPicture: -1, offset, length: 0 }
  groups.push(group)
  return group
}

type Times = { dts: Float64Array; pts: Float64Array; end: number }

/** The pictures before the clip's begin, in order of presentation. */
function leadOf({ pts, edit }: VideoTrack): number[] {
  const lead: number[] = []
  for (let i = 0; i < pts.length; i += 1) if (pts[i]! < edit.mediaTime) lead.push(i)
  return lead.toSorted((a, b) => pts[a]! - pts[b]!)
}

/** When a picture is shown, in ticks from the clip's begin: those before it right in front of it, a tick each. */
function shownFrom({ pts, edit }: VideoTrack, lead: number[], sample: number): number {
  return pts[sample]! < edit.mediaTime ? lead.indexOf(sample) - lead.length : pts[sample]! - edit.mediaTime
}

/** Times with the clip's begin at `BASE_TICKS`, and the pictures before it right in front of it. */
function shownTimes({ dts, pts, edit, lastDuration }: VideoTrack, lead: number[]): Times {
  const shift = BASE_TICKS - edit.mediaTime
  const times = { dts: shifted(dts, shift), pts: shifted(pts, shift) }
  const end = times.dts.at(-1)! + lastDuration
  for (const [i, sample] of lead.entries()) times.pts[sample] = BASE_TICKS - lead.length + i
  for (const sample of lead) times.dts[sample] = Infinity
  makeRising(times.dts, times.pts)
  const delay = times.pts[0]! - times.dts[0]!
  for (let i = 0; i < times.dts.length; i += 1) times.dts[i] = times.dts[i]! + delay
  return { ...times, end: end + delay }
}

function shifted(times: Float64Array, by: number): Float64Array {
  const moved = new Float64Array(times.length)
  for (let i = 0; i < times.length; i += 1) moved[i] = times[i]! + by
  return moved
}

function videoRun(
  video: VideoTrack,
  keys: Set<number>,
  { dts, pts, end }: Times,
  { chunk, firstSample, offset }: PlacedChunk,
): TrackRun {
  const samples = Array.from({ length: chunk.samples }, (_, k) => {
    const i = firstSample + k
    const duration = (dts[i + 1] ?? end) - dts[i]!
    return { size: video.sizes[i]!, duration, offset: pts[i]! - dts[i]!, key: keys.has(i) }
  })
  return { track: 1, baseTime: dts[firstSample]!, dataOffset: offset, samples }
}

/** Sound that begins before the clip is passed over: hls.js would take it for the begin of all. */
function audioRun(audio: AudioTrack, { chunk, firstSample, offset }: PlacedChunk): TrackRun {
  const early = Math.min(chunk.samples, Math.max(0, Math.ceil(audio.edit.mediaTime / FRAME_SAMPLES) - firstSample))
  let passed = 0
  for (let i = 0; i < early; i += 1) passed += audio.sizes[firstSample + i]!
  const first = firstSample + early
  const samples = Array.from({ length: chunk.samples - early }, (_, k) => soundSample(audio.sizes[first + k]!))
  const baseTime = BASE_SECONDS * sampleRateOf(audio.config) + first * FRAME_SAMPLES - audio.edit.mediaTime
  return { track: 2, baseTime, dataOffset: offset + passed, samples }
}

function segmentSound({ frameIndex }: PlacedSegment, shift: number): TrackRun {
  const { config, sizes, anchors } = frameIndex.audio!
  const rate = readAudioConfig(config)?.sampleRate ?? 44100
  const inSamples = (pts: number) => Math.round(((pts + shift) * rate) / 90000)
  const baseTime = inSamples(anchors[0]!.pts)
  const samples = Array.from(sizes, soundSample)
  let time = baseTime
  for (const [i, anchor] of anchors.entries()) {
    const before = samples[anchor.frame - 1]
    // What is missing before an anchor lengthens the frame before it.
    const jump = inSamples(anchor.pts) - time
    if (before && jump > -FRAME_SAMPLES) before.duration += jump
    if (before && jump > -FRAME_SAMPLES) time += jump
    time += ((anchors[i + 1]?.frame ?? sizes.length) - anchor.frame) * FRAME_SAMPLES
  }
  return { track: 2, baseTime, dataOffset: videoBytes(frameIndex), samples }
}

function soundSample(size: number) {
  return { size, duration: FRAME_SAMPLES, offset: 0, key: true }
}

function withMdat(moofBytes: Buffer, length: number): Buffer {
  return Buffer.concat([moofBytes, mdatHeader(length)])
}
