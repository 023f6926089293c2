/**
 * The sound of a clip: AAC frames chosen by time, independently of the pictures. Pure.
 *
 * - One frame every 1024 samples from the clip's begin to its end; where nothing was recorded, or after a hole, frames
 *   of silence. So sound cannot run ahead of the picture, and no player has to understand gaps.
 * - The first span is exact: its edit begins inside a frame. Two frames of pre-roll let the decoder settle. After a
 *   join or a hole frames fall on the grid that is already running: at most half a frame (12 ms) off.
 * - The first frames lie in the segment before the first picture's: mpegtsmux interleaves so.
 */
import { FRAME_SAMPLES, readAudioConfig } from './aac.ts'
import type { Span } from './cut-video.ts'
import type { PlacedSegment, TickRange } from './timeline.ts'
import type { Edit } from './tracks.ts'

const PRE_ROLL = 2

export type AudioCut = {
  config: number
  /** For each frame of the clip: the segment it comes from, null for silence, and its number there. */
  segments: (PlacedSegment | null)[]
  frames: Int32Array
  /** The span that each frame belongs to. */
  spans: Uint32Array
  edit: Edit
}

/** `ranges` are the spans as cut: see `VideoCut`. Null when nothing of them has sound. */
export function cutAudio(spans: Span[], ranges: TickRange[]): AudioCut | null {
  const config = firstConfig(spans, ranges)
  const sampleRate = config === null ? undefined : readAudioConfig(config)?.sampleRate
  if (config === null || sampleRate === undefined) return null
  const frameTicks = (FRAME_SAMPLES * 90000) / sampleRate
  const sources = spans.map((span, i) => collectFrames(span.segments, config, ranges[i]!, frameTicks))
  const grid = startGrid(sources[0]!, ranges[0]!, frameTicks)

  const duration = ranges.reduce((sum, range) => sum + range.toTicks - range.fromTicks, 0)
  const count = Math.ceil((grid.lead + duration) / frameTicks - 1e-9)
  const cut = { segments: Array.from<PlacedSegment | null>({ length: count }).fill(null) }
  const filled = { ...cut, frames: new Int32Array(count), spans: new Uint32Array(count) }
  let slot = 0
  let start = 0
  for (const [i, { fromTicks, toTicks }] of ranges.entries()) {
    start += toTicks - fromTicks
    const end = i === ranges.length - 1 ? count : Math.min(count, Math.ceil((grid.lead + start) / frameTicks))
    const first = i === 0 ? grid.firstFrame : 0
    const spanTime = toTicks - start - grid.lead
    filled.spans.fill(i, slot, end)
    fill(filled, sources[i]!, { slot, end, first, spanTime, frameTicks })
    slot = Math.max(slot, end)
  }
  return { config, ...filled, edit: { mediaTime: Math.round((grid.lead * sampleRate) / 90000), duration } }
}

/** The frames of one recording, in order. */
type Source = { segments: PlacedSegment[]; frames: number[]; times: number[] }

function firstConfig(spans: Span[], ranges: TickRange[]): number | null {
  for (const [i, { segments }] of spans.entries()) {
    for (const { frameIndex, offset, toTicks } of segments) {
      const first = frameIndex.audio?.anchors[0]
      const inside = first && toTicks > ranges[i]!.fromTicks && offset + first.pts < ranges[i]!.toTicks
      if (inside) return frameIndex.audio!.config
    }
  }
  return null
}

/** Frames of the configuration that the clip has: another one cannot stand in the same track. */
function collectFrames(segments: PlacedSegment[], config: number, range: TickRange, frameTicks: number): Source {
  const source: Source = { segments: [], frames: [], times: [] }
  const earliest = range.fromTicks - (PRE_ROLL + 2) * frameTicks
  for (const segment of segments) {
    const audio = segment.frameIndex.audio
    if (!audio || audio.config !== config) continue
    for (const [i, anchor] of audio.anchors.entries()) {
      const end = audio.anchors[i + 1]?.frame ?? audio.sizes.length
      const base = segment.offset + anchor.pts
      for (let frame = anchor.frame; frame < end; frame += 1) {
        const time = base + (frame - anchor.frame) * frameTicks
        if (time < earliest || time >= range.toTicks) continue
        source.segments.push(segment)
        source.frames.push(frame)
        source.times.push(time)
      }
    }
  }
  return source
}

/**
 * Lays the clip's frame grid over the first span: its first real frame keeps its exact time. `lead` is how far the grid
 * begins before the clip, and `firstFrame` the first frame to use.
 */
function startGrid({ times }: Source, range: TickRange, frameTicks: number): { lead: number; firstFrame: number } {
  let first = times.findIndex((time) => time + frameTicks > range.fromTicks)
  if (first < 0) return { lead: 0, firstFrame: times.length }
  const late = Math.ceil((times[first]! - range.fromTicks) / frameTicks)
  if (late > 0) return { lead: late * frameTicks - (times[first]! - range.fromTicks), firstFrame: first }
  for (let i = 0; i < PRE_ROLL; i += 1) {
    const follows = first > 0 && Math.abs(times[first]! - times[first - 1]! - frameTicks) < frameTicks / 2
    if (follows) first -= 1
  }
  return { lead: range.fromTicks - times[first]!, firstFrame: first }
}

type Stretch = { slot: number; end: number; first: number; spanTime: number; frameTicks: number }

/**
 * Fills the slots of one span. A frame follows its predecessor as long as it is less than half a frame off its place,
 * counted from where the run began; else the run ends, and the next begins with whatever frame is nearest.
 */
function fill(
  cut: { segments: (PlacedSegment | null)[]; frames: Int32Array },
  { segments, frames, times }: Source,
  { slot, end, first, spanTime, frameTicks }: Stretch,
): void {
  let next = first
  let phase = 0
  let running = false
  for (let i = slot; i < end; i += 1) {
    const time = i * frameTicks + spanTime
    if (running && Math.abs((times[next] ?? Infinity) - time - phase) > frameTicks / 2) running = false
    if (!running) {
      while (next < times.length && times[next]! < time - frameTicks / 2) next += 1
      if (next >= times.length || times[next]! > time + frameTicks / 2) continue
      phase = times[next]! - time
      running = true
    }
    cut.segments[i] = segments[next]!
    cut.frames[i] = frames[next]!
    next += 1
  }
}
