import type { ClockSource } from '../db/schema.ts'
import { TICKS_PER_SECOND, type PlacedSegment, type TickRange } from '../media/timeline.ts'
import { intersect, merge, subtract } from './ranges.ts'

/*
 * What of an asked-for range is to be shown. Pure.
 * Ranges are half-open. Ticks are 90 a millisecond: of a session's media time, or, where
 * several sessions meet, of the wall clock since 1970.
 */

export const TICKS_PER_MS = TICKS_PER_SECOND / 1000

/** Time shorter than this is a rounding of timestamps, neither covered nor a gap. */
export const TOLERANCE_TICKS = 5 * TICKS_PER_MS

export interface SessionTimeline {
  sessionId: string
  /** Wall clock of tick 0, in ms. */
  originMs: number
  clock: ClockSource
  /** Readable segments around the range. */
  placed: PlacedSegment[]
  unreadable: TickRange[]
  /** When the share was really there: outside, egress recorded black. Wall clock, ms; an open span has no end. */
  shared: { fromMs: number; toMs: number | undefined }[]
  /** Before this, segments were deleted for their age. */
  expiredBefore: number
  /** More segments may land. */
  isGrowing: boolean
}

/** A stretch of one session's media time. */
export interface ChosenSpan extends TickRange {
  timeline: SessionTimeline
}

export function toWall({ originMs }: Pick<SessionTimeline, 'originMs'>, { fromTicks, toTicks }: TickRange): TickRange {
  const origin = originMs * TICKS_PER_MS
  return { fromTicks: fromTicks + origin, toTicks: toTicks + origin }
}

export function fromWall(timeline: Pick<SessionTimeline, 'originMs'>, range: TickRange): TickRange {
  return toWall({ originMs: -timeline.originMs }, range)
}

export function wallRange(from: Date, to: Date): TickRange {
  return { fromTicks: from.getTime() * TICKS_PER_MS, toTicks: to.getTime() * TICKS_PER_MS }
}

/** When there was a share, on the wall clock. */
export function sharedRanges({ shared }: Pick<SessionTimeline, 'shared'>): TickRange[] {
  return shared.map(({ fromMs, toMs }) => ({
    fromTicks: fromMs * TICKS_PER_MS,
    toTicks: (toMs ?? Infinity) * TICKS_PER_MS,
  }))
}

/**
 * What of `[from, to)` was recorded while it was shared, in order. Where two sessions
 * recorded the same moment, the one that began first has it.
 */
export function chooseSpans(timelines: SessionTimeline[], from: Date, to: Date): ChosenSpan[] {
  let wanted = [wallRange(from, to)]
  const chosen: (TickRange & { span: ChosenSpan })[] = []
  for (const timeline of timelines) {
    const recorded = merge(timeline.placed, TOLERANCE_TICKS).map((range) => toWall(timeline, range))
    const ranges = intersect(intersect(wanted, sharedRanges(timeline)), recorded).filter(isLongEnough)
    chosen.push(...ranges.map((range) => ({ ...range, span: { timeline, ...rounded(fromWall(timeline, range)) } })))
    wanted = subtract(wanted, ranges)
  }
  return chosen.toSorted((a, b) => a.fromTicks - b.fromTicks).map(({ span }) => span)
}

export const isLongEnough = ({ fromTicks, toTicks }: TickRange) => toTicks - fromTicks > TOLERANCE_TICKS

const rounded = ({ fromTicks, toTicks }: TickRange) => ({
  fromTicks: Math.round(fromTicks),
  toTicks: Math.round(toTicks),
})

/**
 * The segments that a span is made of, with the one before it and the one after: their
 * sound overlaps it, for egress writes sound later than the pictures it belongs to.
 */
export function neededSegments({ timeline, fromTicks, toTicks }: ChosenSpan): PlacedSegment[] {
  const { placed } = timeline
  const overlaps = (segment: PlacedSegment | undefined) =>
    segment !== undefined && segment.fromTicks < toTicks && fromTicks < segment.toTicks
  return placed.filter((segment, i) => {
    const [before, after] = [placed[i - 1], placed[i + 1]]
    const isNext = before?.sequence === segment.sequence - 1 && overlaps(before)
    const isPrevious = after?.sequence === segment.sequence + 1 && overlaps(after)
    return overlaps(segment) || isNext || isPrevious
  })
}
