import type { ClockSource } from '../db/schema.ts'
import { TICKS_PER_SECOND, type PlacedSegment, type TickRange } from '../media/timeline.ts'
import { intersect, merge } from './ranges.ts'

/*
 * What of an asked-for range is to be shown. Pure.
 * Ranges are half-open; ticks are those of a session's media time, 90 a millisecond.
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
  /** Before this, segments were deleted for their age. Ticks. */
  expiredBefore: number
  /** More segments may land. */
  isGrowing: boolean
}

/** The session's media time of an instant. */
export function ticksOf(timeline: Pick<SessionTimeline, 'originMs'>, ms: number): number {
  return Math.round((ms - timeline.originMs) * TICKS_PER_MS)
}

export function sharedRanges(timeline: Pick<SessionTimeline, 'originMs' | 'shared'>): TickRange[] {
  return timeline.shared.map(({ fromMs, toMs }) => ({
    fromTicks: ticksOf(timeline, fromMs),
    toTicks: toMs === undefined ? Infinity : ticksOf(timeline, toMs),
  }))
}

/** What of `[from, to)` was recorded while it was shared, in order. Empty when nothing was. */
export function chooseSpans(timeline: SessionTimeline, from: Date, to: Date): TickRange[] {
  const asked = { fromTicks: ticksOf(timeline, from.getTime()), toTicks: ticksOf(timeline, to.getTime()) }
  const recorded = merge(timeline.placed, TOLERANCE_TICKS)
  return intersect(intersect([asked], sharedRanges(timeline)), recorded).filter(
    (span) => span.toTicks - span.fromTicks > TOLERANCE_TICKS,
  )
}

/** The segments that spans are made of, and before each span's first the one that may hold its first sound. */
export function neededSegments(timeline: SessionTimeline, spans: TickRange[]): PlacedSegment[] {
  const { placed } = timeline
  return placed.filter((segment, i) => {
    const next = placed[i + 1]
    const reach = next?.sequence === segment.sequence + 1 ? next.toTicks : segment.toTicks
    return spans.some((span) => segment.fromTicks < span.toTicks && span.fromTicks < reach)
  })
}
