import type { ClockSource, Coverage, GapReason } from '../db/schema.ts'
import type { TickRange } from '../media/timeline.ts'
import {
  isLongEnough,
  sharedRanges,
  TICKS_PER_MS,
  toWall,
  wallRange,
  type ChosenSpan,
  type SessionTimeline,
} from './cut-plan.ts'
import { intersect, subtract } from './ranges.ts'

/** What a clip says of itself: what was asked for, what of it the spans show, and why the rest is missing. Pure. */
export function describeCoverage(timelines: SessionTimeline[], from: Date, to: Date, spans: ChosenSpan[]): Coverage {
  const asked = wallRange(from, to)
  const shown = spans.map((span) => toWall(span.timeline, span))
  const gaps = explainGaps(timelines, asked, shown)
  return {
    requestedFrom: from.toISOString(),
    requestedTo: to.toISOString(),
    coveredFrom: isoOf(shown[0]?.fromTicks ?? asked.fromTicks),
    coveredTo: isoOf(shown.at(-1)?.toTicks ?? asked.fromTicks),
    coveredSeconds: secondsOf(shown),
    gaps: gaps.map((gap) => ({ from: isoOf(gap.fromTicks), to: isoOf(gap.toTicks), reason: gap.reason })),
    complete: gaps.length === 0,
    ...clockOf(timelines),
  }
}

/** Contract section 9: `startedAt` is right to 25 ms; what egress's own clock says is 613 to 1077 ms late, taken as 700. */
const CLOCK_ERROR_MS: Record<ClockSource, number> = { measured: 25, estimated: 400 }

function clockOf(timelines: SessionTimeline[]): Pick<Coverage, 'clock' | 'clockErrorMs'> {
  const clock = timelines.every((timeline) => timeline.clock === 'measured') ? 'measured' : 'estimated'
  return { clock, clockErrorMs: CLOCK_ERROR_MS[clock] }
}

/** An instant of the wall clock, in ticks since 1970, as it is said to clients. */
export const isoOf = (ticks: number) => new Date(Math.round(ticks / TICKS_PER_MS)).toISOString()

/** Milliseconds are as exact as anything said about a clip. */
export function secondsOf(ranges: TickRange[]): number {
  return Math.round(ranges.reduce((sum, { fromTicks, toTicks }) => sum + toTicks - fromTicks, 0) / TICKS_PER_MS) / 1000
}

interface Gap extends TickRange {
  reason: GapReason
}

/** The first reason that fits a piece of a gap is its reason; `missing` is what nothing explains. */
function explainGaps(timelines: SessionTimeline[], asked: TickRange, shown: TickRange[]): Gap[] {
  const all = (rangesOf: (timeline: SessionTimeline) => TickRange[]) => timelines.flatMap(rangesOf)
  const reasons: [GapReason, TickRange[]][] = [
    ['unshared', subtract([asked], all(sharedRanges))],
    ['unreadable', all((timeline) => timeline.unreadable.map((range) => toWall(timeline, range)))],
    ['expired', all(expiredRanges)],
    ['not_yet', all(growingRanges)],
    ['missing', [asked]],
  ]
  let left = subtract([asked], shown).filter(isLongEnough)
  const gaps: Gap[] = []
  for (const [reason, ranges] of reasons) {
    gaps.push(...intersect(left, ranges).map((range) => Object.assign(range, { reason })))
    left = subtract(left, ranges)
  }
  return gaps.filter(isLongEnough).toSorted((a, b) => a.fromTicks - b.fromTicks)
}

function expiredRanges(timeline: SessionTimeline): TickRange[] {
  return [toWall(timeline, { fromTicks: 0, toTicks: timeline.expiredBefore })]
}

function growingRanges(timeline: SessionTimeline): TickRange[] {
  const landedTo = timeline.placed.at(-1)?.toTicks ?? 0
  return timeline.isGrowing ? [toWall(timeline, { fromTicks: landedTo, toTicks: Infinity })] : []
}
