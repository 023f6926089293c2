/**
 * A clip, planned: which bytes of which sample files, in which order, and when they are shown. Pure.
 *
 * `mdat` goes segment by segment: the last sound of the segment before, then pictures and sound of each; so every whole
 * segment in the middle is one range of one sample file.
 */
import { readAudioConfig, silentFrame } from './aac.ts'
import { type AudioCut, type AudioRun, cutAudio } from './cut-audio.ts'
import { cutVideo, type Span, type VideoRun } from './cut-video.ts'
import { type FrameIndex, sumSizes, videoBytes } from './frame-index.ts'
import { readPictureSize } from './sps.ts'
import type { PlacedSegment, TickRange } from './timeline.ts'
import type { Chunk, Part, Tracks, VideoConfig } from './tracks.ts'

export type ClipCut = Tracks & {
  parts: Part[]
  /** The spans as cut: each begins with a picture that was recorded. */
  spans: TickRange[]
  /** Pictures that a viewer sees. */
  frameCount: number
}

/** Cuts spans, which are shown one after another, each exact at both ends. Throws `RangeError` on an empty span. */
export function cutClip(spans: Span[]): ClipCut {
  if (spans.length === 0) throw new RangeError('a clip without spans')
  const video = cutVideo(spans)
  const audio = cutAudio(spans, video.spans)
  const config = videoConfig(video.runs)
  const layout = startLayout(audio)
  const samples = { sizes: new Uint32Array(video.dts.length), keys: [] as number[] }
  let sample = 0
  for (const run of video.runs) {
    addAudioUpTo(layout, (sound) => isBefore(sound, run))
    sample = addVideo(layout, samples, run, sample, config.inBand)
    addAudioUpTo(layout, (sound) => isOf(sound, run))
  }
  addAudioUpTo(layout, () => true)
  const { dts, pts, lastDuration, edit, durationTicks, frameCount } = video
  return {
    video: { ...config, ...samples, dts, pts, lastDuration, edit },
    audio: audio && { config: audio.config, sizes: layout.audioSizes, edit: audio.edit },
    chunks: layout.chunks,
    parts: layout.parts,
    spans: video.spans,
    durationTicks,
    frameCount,
  }
}

type Layout = {
  chunks: Chunk[]
  parts: Part[]
  audio: AudioCut | null
  audioSizes: Uint32Array
  silence: Buffer
  /** How many runs of sound, and how many frames, have their place. */
  runs: number
  frames: number
}

function startLayout(audio: AudioCut | null): Layout {
  const silence = silentFrame((audio && readAudioConfig(audio.config)?.channels) ?? 2)
  return { chunks: [], parts: [], audio, audioSizes: new Uint32Array(audio?.count ?? 0), silence, runs: 0, frames: 0 }
}

/** One sample entry serves all: two of them brought Chromium down. */
function videoConfig(runs: VideoRun[]): VideoConfig {
  const first = runs[0]!.segment.frameIndex
  const { sps, pps } = first
  const same = (other: FrameIndex) => other === first || (other.sps.equals(sps) && other.pps.equals(pps))
  const size = readPictureSize(sps) ?? { width: 0, height: 0 }
  return { ...size, sps, pps, inBand: !runs.every((run) => same(run.segment.frameIndex)) }
}

function addVideo(
  layout: Layout,
  samples: { sizes: Uint32Array; keys: number[] },
  run: VideoRun,
  at: number,
  inBand: boolean,
): number {
  const { segment, first, last } = run
  const { sizes, keys } = segment.frameIndex.video
  const begin = sumSizes(sizes, 0, first)
  const shown = keys.filter((key) => first <= key && key <= last)
  const sets = inBand ? addWithSets(layout, run, begin, shown) : 0
  const bytes = sumSizes(sizes, first, last + 1)
  if (!inBand) addRange(layout.parts, segment.key, begin, begin + bytes)
  samples.sizes.set(sizes.subarray(first, last + 1), at)
  for (const key of shown) {
    samples.keys.push(at + key - first)
    samples.sizes[at + key - first]! += sets
  }
  layout.chunks.push({ track: 'video', samples: last - first + 1, bytes: bytes + sets * shown.length })
  return at + last - first + 1
}

/** Puts the parameter sets in front of each keyframe; tells how many bytes they are. */
function addWithSets({ parts }: Layout, { segment, first, last }: VideoRun, begin: number, keys: number[]): number {
  const { video, sps, pps } = segment.frameIndex
  const sets = Buffer.concat([withLength(sps), withLength(pps)])
  let at = begin
  for (const [i, key] of keys.entries()) {
    const from = at
    at += sumSizes(video.sizes, i === 0 ? first : keys[i - 1]!, key)
    addRange(parts, segment.key, from, at)
    addBytes(parts, sets)
  }
  addRange(parts, segment.key, at, at + sumSizes(video.sizes, keys.at(-1) ?? first, last + 1))
  return sets.length
}

function withLength(nal: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(nal.length)
  return Buffer.concat([length, nal])
}

/** Lays out the sound that comes next, as one chunk, as long as `wanted` says so; silence stays with what surrounds it. */
function addAudioUpTo(layout: Layout, wanted: (run: AudioRun) => boolean): void {
  const { audio, audioSizes } = layout
  if (!audio) return
  const firstFrame = layout.frames
  let bytes = 0
  for (; layout.runs < audio.runs.length; layout.runs += 1) {
    const run = audio.runs[layout.runs]!
    if (!wanted(run)) break
    if (run.segment) audioSizes.set(addSound(layout.parts, run.segment, run), layout.frames)
    else audioSizes.fill(addSilence(layout, run.count), layout.frames, layout.frames + run.count)
    bytes += sumSizes(audioSizes, layout.frames, layout.frames + run.count)
    layout.frames += run.count
  }
  const samples = layout.frames - firstFrame
  if (samples > 0) layout.chunks.push({ track: 'audio', samples, bytes })
}

/** Gives the frames' sizes. */
function addSound(parts: Part[], { key, frameIndex }: PlacedSegment, { first, count }: AudioRun): Uint32Array {
  const { sizes } = frameIndex.audio!
  const begin = videoBytes(frameIndex) + sumSizes(sizes, 0, first)
  addRange(parts, key, begin, begin + sumSizes(sizes, first, first + count))
  return sizes.subarray(first, first + count)
}

/** Gives the size of each frame. */
function addSilence({ parts, silence }: Layout, count: number): number {
  for (let i = 0; i < count; i += 1) addBytes(parts, silence)
  return silence.length
}

function isBefore({ span, segment }: AudioRun, run: VideoRun): boolean {
  if (span !== run.span) return span < run.span
  return segment ? segment.sequence < run.segment.sequence : false
}

function isOf({ span, segment }: AudioRun, run: VideoRun): boolean {
  return run.span === span && (!segment || segment.sequence <= run.segment.sequence)
}

/** A long silence is many equal frames: they are collected and joined by the writer. */
function addBytes(parts: Part[], bytes: Buffer): void {
  const last = parts.at(-1)
  if (last && 'bytes' in last) last.bytes.push(bytes)
  else parts.push({ bytes: [bytes] })
}

function addRange(parts: Part[], key: string, from: number, to: number): void {
  if (to <= from) return
  const last = parts.at(-1)
  if (last && 'key' in last && last.key === key && last.offset + last.length === from) last.length += to - from
  else parts.push({ key, offset: from, length: to - from })
}
