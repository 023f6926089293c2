/**
 * A clip, planned: which bytes of which sample files, in which order, and when they are shown. Pure.
 *
 * `mdat` goes segment by segment: the last sound of the segment before, then pictures and sound of each; so every whole
 * segment in the middle is one range of one sample file.
 */
import { readAudioConfig, silentFrame } from './aac.ts'
import { type AudioCut, cutAudio } from './cut-audio.ts'
import { cutVideo, type Span, type VideoRun } from './cut-video.ts'
import { type FrameIndex, videoBytes } from './frame-index.ts'
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
    addAudioUpTo(layout, (slot) => isBefore(audio!, slot, run))
    sample = addVideo(layout, samples, run, sample, config.inBand)
    addAudioUpTo(layout, (slot) => isOf(audio!, slot, run))
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
  slot: number
}

function startLayout(audio: AudioCut | null): Layout {
  const silence = silentFrame((audio && readAudioConfig(audio.config)?.channels) ?? 2)
  return { chunks: [], parts: [], audio, audioSizes: new Uint32Array(audio?.frames.length ?? 0), silence, slot: 0 }
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
  { segment, first, last }: VideoRun,
  at: number,
  inBand: boolean,
): number {
  const { video, sps, pps } = segment.frameIndex
  const sets = inBand ? Buffer.concat([withLength(sps), withLength(pps)]) : null
  const keys = new Set(video.keys)
  let offset = 0
  for (let i = 0; i < first; i += 1) offset += video.sizes[i]!
  let begin = offset
  let bytes = 0
  for (let i = first; i <= last; i += 1) {
    let size = video.sizes[i]!
    if (keys.has(i)) {
      samples.keys.push(at + i - first)
      if (sets) {
        addRange(layout.parts, segment.key, begin, offset)
        addBytes(layout.parts, sets)
        begin = offset
        size += sets.length
      }
    }
    samples.sizes[at + i - first] = size
    bytes += size
    offset += video.sizes[i]!
  }
  addRange(layout.parts, segment.key, begin, offset)
  layout.chunks.push({ track: 'video', samples: last - first + 1, bytes })
  return at + last - first + 1
}

function withLength(nal: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(nal.length)
  return Buffer.concat([length, nal])
}

/** Lays out the sound that comes next, as one chunk, as long as `wanted` says so; silence stays with what surrounds it. */
function addAudioUpTo(layout: Layout, wanted: (slot: number) => boolean): void {
  const { audio } = layout
  if (!audio) return
  const firstSlot = layout.slot
  let bytes = 0
  let segment: PlacedSegment | null = null
  let offset = 0
  let frame = -1
  for (; layout.slot < audio.frames.length && wanted(layout.slot); layout.slot += 1) {
    const source = audio.segments[layout.slot]
    const size = source ? source.frameIndex.audio!.sizes[audio.frames[layout.slot]!]! : layout.silence.length
    if (source) {
      const number = audio.frames[layout.slot]!
      if (source !== segment || number !== frame + 1) offset = audioOffset(source, number)
      addRange(layout.parts, source.key, offset, offset + size)
      segment = source
      frame = number
      offset += size
    } else addBytes(layout.parts, layout.silence)
    layout.audioSizes[layout.slot] = size
    bytes += size
  }
  const samples = layout.slot - firstSlot
  if (samples > 0) layout.chunks.push({ track: 'audio', samples, bytes })
}

function audioOffset({ frameIndex }: PlacedSegment, frame: number): number {
  let offset = videoBytes(frameIndex)
  for (let i = 0; i < frame; i += 1) offset += frameIndex.audio!.sizes[i]!
  return offset
}

function isBefore(audio: AudioCut, slot: number, run: VideoRun): boolean {
  const segment = audio.segments[slot]
  if (audio.spans[slot]! !== run.span) return audio.spans[slot]! < run.span
  return segment ? segment.sequence < run.segment.sequence : false
}

function isOf(audio: AudioCut, slot: number, run: VideoRun): boolean {
  const segment = audio.segments[slot]
  return run.span === audio.spans[slot] && (!segment || segment.sequence <= run.segment.sequence)
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
