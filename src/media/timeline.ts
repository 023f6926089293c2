/**
 * Where the segments of one recording lie in time, and where time is missing. Pure.
 *
 * Times are ticks of 1/90000 s after an origin on the recording's own clock. Egress's muxer starts at 3600 s
 * (GStreamer's tsmux), and that instant is the session's `startedAt`; so by default tick 0 is `startedAt`.
 */
import type { FrameIndex } from './frame-index.ts'
import { CLOCK_WRAP, clockDifference } from './ts-demux.ts'

export const TICKS_PER_SECOND = 90000

/** mpegtsmux's CLOCK_BASE: what its clock shows when the recording begins. */
export const EGRESS_ORIGIN = 3600 * TICKS_PER_SECOND

export type SourceSegment = {
  /** Names the sample file to whoever opens it. */
  key: string
  sequence: number
  /** Media time by the playlist; only tells how often the 33-bit clock (26.5 h) has come around. */
  startMs: number
  frameIndex: FrameIndex
}

export type PlacedSegment = SourceSegment & {
  /** What to add to the frame index's times. */
  offset: number
  /** First picture's presentation, and the end of the last one. */
  fromTicks: number
  toTicks: number
  frameTicks: number
}

export type TickRange = { fromTicks: number; toTicks: number }

export type Breaks = {
  /** Time between segments for which there is none. */
  gaps: TickRange[]
  /** Time inside a segment without pictures: from the end of the one before to the next. */
  holes: TickRange[]
}

/** Puts segments of one recording in order and on one clock. */
export function placeSegments(segments: SourceSegment[], originPts = EGRESS_ORIGIN): PlacedSegment[] {
  const ordered = segments.toSorted((a, b) => a.sequence - b.sequence)
  const placed: PlacedSegment[] = []
  for (const segment of ordered) {
    const { firstDts, video } = segment.frameIndex
    const before = placed.at(-1)
    const offset = before
      ? before.offset + clockDifference(firstDts, before.frameIndex.firstDts) + turnsBetween(before, segment)
      : nearestTurn(firstDts - originPts, (segment.startMs * TICKS_PER_SECOND) / 1000)
    const frameTicks = usualStep(video.dts)
    let first = Infinity
    let last = -Infinity
    for (const pts of video.pts) {
      if (pts < first) first = pts
      if (pts > last) last = pts
    }
    placed.push({ ...segment, offset, fromTicks: offset + first, toTicks: offset + last + frameTicks, frameTicks })
  }
  return placed.map((segment, i) => withExactEnd(segment, placed[i + 1]))
}

/** Finds what is missing between and inside segments. */
export function findBreaks(placed: PlacedSegment[]): Breaks {
  const gaps: TickRange[] = []
  const holes: TickRange[] = []
  for (const [i, segment] of placed.entries()) {
    const pts = segment.frameIndex.video.pts.toSorted()
    for (let k = 1; k < pts.length; k += 1) {
      if (pts[k]! - pts[k - 1]! <= segment.frameTicks * 1.5) continue
      const fromTicks = segment.offset + pts[k - 1]! + segment.frameTicks
      holes.push({ fromTicks, toTicks: segment.offset + pts[k]! })
    }
    const next = placed[i + 1]
    if (next && !follows(segment, next)) gaps.push({ fromTicks: segment.toTicks, toTicks: next.fromTicks })
  }
  return { gaps, holes }
}

/** The time that segments cover, gaps left out; holes inside a segment count as covered. */
export function coveredRanges(placed: PlacedSegment[]): TickRange[] {
  const ranges: TickRange[] = []
  for (const segment of placed) {
    const range = ranges.at(-1)
    if (range && range.toTicks === segment.fromTicks) range.toTicks = segment.toTicks
    else ranges.push({ fromTicks: segment.fromTicks, toTicks: segment.toTicks })
  }
  return ranges
}

/** A segment ends where the next one begins: timestamps may be off by a tick, which is no gap. */
function withExactEnd(segment: PlacedSegment, next: PlacedSegment | undefined): PlacedSegment {
  return next && follows(segment, next) ? { ...segment, toTicks: next.fromTicks } : segment
}

function follows(segment: PlacedSegment, next: PlacedSegment): boolean {
  const consecutive = next.sequence === segment.sequence + 1
  return consecutive && Math.abs(next.fromTicks - segment.toTicks) <= segment.frameTicks / 2
}

/** Full turns of the clock that a very long gap between two segments hides. */
function turnsBetween(before: SourceSegment, segment: SourceSegment): number {
  const step = clockDifference(segment.frameIndex.firstDts, before.frameIndex.firstDts)
  const expected = ((segment.startMs - before.startMs) * TICKS_PER_SECOND) / 1000
  return Math.round((expected - step) / CLOCK_WRAP) * CLOCK_WRAP
}

function nearestTurn(ticks: number, expected: number): number {
  return ticks + Math.round((expected - ticks) / CLOCK_WRAP) * CLOCK_WRAP
}

/** The median distance of pictures: a hole or a short last frame must not move it. */
function usualStep(dts: Int32Array): number {
  if (dts.length < 2) return TICKS_PER_SECOND / 30
  const steps = new Int32Array(dts.length - 1)
  let asFirst = 0
  for (let i = 1; i < dts.length; i += 1) {
    const step = dts[i]! - dts[i - 1]!
    steps[i - 1] = step
    if (step === dts[1]! - dts[0]!) asFirst += 1
  }
  // What more than half of them are is in their middle.
  return asFirst * 2 > steps.length ? steps[0]! : steps.toSorted()[steps.length >> 1]!
}
