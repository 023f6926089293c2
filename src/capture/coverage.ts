import type { Coverage, GapReason } from '../db/schema.ts'
import type { TickRange } from '../media/timeline.ts'
import { sharedRanges, TICKS_PER_MS, ticksOf, TOLERANCE_TICKS, type SessionTimeline } from './cut-plan.ts'
import { intersect, subtract } from './ranges.ts'

/** What a clip says of itself: what was asked for, what of it the spans show, and why the rest is missing. Pure. */
export function describeCoverage(timeline: SessionTimeline, from: Date, to: Date, spans: TickRange[]): Coverage {
  const isoOf = (ticks: number) => new Date(Math.round(timeline.originMs + ticks / TICKS_PER_MS)).toISOString()
  const asked = { fromTicks: ticksOf(timeline, from.getTime()), toTicks: ticksOf(timeline, to.getTime()) }
  const gaps = explainGaps(timeline, asked, spans)
  return {
    requestedFrom: from.toISOString(),
    requestedTo: to.toISOString(),
    coveredFrom: isoOf(spans[0]?.fromTicks ?? asked.fromTicks),
    coveredTo: isoOf(spans.at(-1)?.toTicks ?? asked.fromTicks),
    coveredSeconds: secondsOf(spans),
    gaps: gaps.map((gap) => ({ from: isoOf(gap.fromTicks), to: isoOf(gap.toTicks), reason: gap.reason })),
    complete: gaps.length === 0,
    clock: timeline.clock,
  }
}

/** Milliseconds are as exact as anything said about a clip. */
function secondsOf(spans: TickRange[]): number {
  return Math.round(spans.reduce((sum, span) => sum + span.toTicks - span.fromTicks, 0) / TICKS_PER_MS) / 1000
}

interface Gap extends TickRange {
  reason: GapReason
}

function explainGaps(timeline: SessionTimeline, asked: TickRange, spans: TickRange[]): Gap[] {
  const missing = subtract([asked], spans).filter(({ fromTicks, toTicks }) => toTicks - fromTicks > TOLERANCE_TICKS)
  const landedTo = timeline.placed.at(-1)?.toTicks ?? 0
  const reasons: [GapReason, TickRange[]][] = [
    ['unshared', subtract(missing, sharedRanges(timeline))],
    ['unreadable', timeline.unreadable],
    ['expired', [{ fromTicks: -Infinity, toTicks: timeline.expiredBefore }]],
    ['not_yet', timeline.isGrowing ? [{ fromTicks: landedTo, toTicks: Infinity }] : []],
  ]
  let left = missing
  const gaps: Gap[] = []
  for (const [reason, ranges] of reasons) {
    gaps.push(...intersect(left, ranges).map((range) => ({ ...range, reason })))
    left = subtract(left, ranges)
  }
  gaps.push(...left.map((range) => ({ ...range, reason: 'missing' as const })))
  return gaps
    .filter(({ fromTicks, toTicks }) => toTicks - fromTicks > TOLERANCE_TICKS)
    .toSorted((a, b) => a.fromTicks - b.fromTicks)
}
