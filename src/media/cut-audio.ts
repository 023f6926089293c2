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
  /** One after the other from the clip's first frame to its last. */
  runs: AudioRun[]
  /** How many frames that are. */
  count: number
  edit: Edit
}

/** Frames that follow each other in a segment from `first` on, or that many of silence. */
export type AudioRun = { span: number; segment: PlacedSegment | null; first: number; count: number }

/** `ranges` are the spans as cut: see `VideoCut`. Null when nothing of them has sound. */
export function cutAudio(spans: Span[], ranges: TickRange[]): AudioCut | null {
  const config = firstConfig(spans, ranges)
  const sampleRate = config === null ? undefined : readAudioConfig(config)?.sampleRate
  if (config === null || sampleRate === undefined) return null
  const frameTicks = (FRAME_SAMPLES * 90000) / sampleRate
  const sources = spans.map((span, i) => collectStretches(span.segments, config, ranges[i]!, frameTicks))
  const grid = startGrid(sources[0]!, ranges[0]!, frameTicks)

  const duration = ranges.reduce((sum, range) => sum + range.toTicks - range.fromTicks, 0)
  const count = Math.ceil((grid.lead + duration) / frameTicks - 1e-9)
  const runs: AudioRun[] = []
  let slot = 0
  let start = 0
  for (const [i, { fromTicks, toTicks }] of ranges.entries()) {
    start += toTicks - fromTicks
    const end = i === ranges.length - 1 ? count : Math.min(count, Math.ceil((grid.lead + start) / frameTicks))
    const next = i === 0 ? grid.first : firstOf(sources[i]!)
    fill(runs, next, { span: i, slot, end, spanTime: toTicks - start - grid.lead, frameTicks })
    slot = Math.max(slot, end)
  }
  return { config, runs, count, edit: { mediaTime: Math.round((grid.lead * sampleRate) / 90000), duration } }
}

/** The frames `[first, end)` of a segment, without a break among them; frame n begins at `base + n * frameTicks`. */
type Stretch = { segment: PlacedSegment; base: number; first: number; end: number }

/** The frames of one recording, in order. */
type Source = Stretch[]

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
function collectStretches(segments: PlacedSegment[], config: number, range: TickRange, frameTicks: number): Source {
  const source: Source = []
  const earliest = range.fromTicks - (PRE_ROLL + 2) * frameTicks
  for (const segment of segments) {
    const audio = segment.frameIndex.audio
    if (!audio || audio.config !== config) continue
    for (const [i, anchor] of audio.anchors.entries()) {
      const base = segment.offset + anchor.pts - anchor.frame * frameTicks
      const until = audio.anchors[i + 1]?.frame ?? audio.sizes.length
      const first = Math.max(anchor.frame, Math.ceil((earliest - base) / frameTicks))
      const end = Math.min(until, Math.ceil((range.toTicks - base) / frameTicks))
      if (first < end) source.push({ segment, base, first, end })
    }
  }
  return source
}

/** A frame of a source; past its last one, `stretch` is past the last stretch. */
type Cursor = { source: Source; stretch: number; frame: number }

const firstOf = (source: Source): Cursor => ({ source, stretch: 0, frame: source[0]?.first ?? 0 })

/** When the frame begins: never, past the last one. */
function timeOf({ source, stretch, frame }: Cursor, frameTicks: number): number {
  const at = source[stretch]
  return at ? at.base + frame * frameTicks : Infinity
}

function advance(cursor: Cursor, by: number): void {
  cursor.frame += by
  if (cursor.frame < cursor.source[cursor.stretch]!.end) return
  cursor.stretch += 1
  cursor.frame = cursor.source[cursor.stretch]?.first ?? 0
}

function before({ source, stretch, frame }: Cursor): Cursor | null {
  if (frame > source[stretch]!.first) return { source, stretch, frame: frame - 1 }
  const previous = source[stretch - 1]
  return previous ? { source, stretch: stretch - 1, frame: previous.end - 1 } : null
}

/**
 * Lays the clip's frame grid over the first span: its first real frame keeps its exact time. `lead` is how far the grid
 * begins before the clip, and `first` the first frame to use.
 */
function startGrid(source: Source, range: TickRange, frameTicks: number): { lead: number; first: Cursor } {
  let first = firstOf(source)
  while (timeOf(first, frameTicks) + frameTicks <= range.fromTicks) advance(first, 1)
  const time = timeOf(first, frameTicks)
  if (time === Infinity) return { lead: 0, first }
  const late = Math.ceil((time - range.fromTicks) / frameTicks)
  if (late > 0) return { lead: late * frameTicks - (time - range.fromTicks), first }
  for (let i = 0; i < PRE_ROLL; i += 1) {
    const earlier = before(first)
    const step = earlier ? timeOf(first, frameTicks) - timeOf(earlier, frameTicks) : Infinity
    if (earlier && Math.abs(step - frameTicks) < frameTicks / 2) first = earlier
  }
  return { lead: range.fromTicks - timeOf(first, frameTicks), first }
}

type Slots = { span: number; slot: number; end: number; spanTime: number; frameTicks: number }

/**
 * Fills the slots of one span. A frame follows its predecessor as long as it is less than half a frame off its place,
 * counted from where the run began; else the run ends, and the next begins with whatever frame is nearest. Within a
 * stretch frames keep their distance from their slots, so it is taken as a whole.
 */
function fill(runs: AudioRun[], next: Cursor, { span, slot, end, spanTime, frameTicks }: Slots): void {
  let phase = 0
  let running = false
  for (let i = slot; i < end;) {
    const time = i * frameTicks + spanTime
    if (running && Math.abs(timeOf(next, frameTicks) - time - phase) > frameTicks / 2) running = false
    if (!running) {
      while (timeOf(next, frameTicks) < time - frameTicks / 2) advance(next, 1)
      const begins = timeOf(next, frameTicks)
      if (begins > time + frameTicks / 2) {
        addSilence(runs, span)
        i += 1
        continue
      }
      phase = begins - time
      running = true
    }
    const { segment, end: stretchEnd } = next.source[next.stretch]!
    const count = Math.min(stretchEnd - next.frame, end - i)
    runs.push({ span, segment, first: next.frame, count })
    advance(next, count)
    i += count
  }
}

function addSilence(runs: AudioRun[], span: number): void {
  const last = runs.at(-1)
  if (last && last.segment === null && last.span === span) last.count += 1
  else runs.push({ span, segment: null, first: 0, count: 1 })
}
