import { createHash } from 'node:crypto'
import type { Pin } from '../clip/clip.repo.ts'
import type { ClipSpan, Coverage, Session } from '../db/schema.ts'
import { cutClip } from '../media/clip-cut.ts'
import { buildMp4 } from '../media/mp4-file.ts'
import type { PlacedSegment } from '../media/timeline.ts'
import type { ClipMedia } from './clip-media.ts'
import { describeCoverage } from './coverage.ts'
import { chooseSpans, neededSegments, type SessionTimeline } from './cut-plan.ts'

export interface Plan {
  spans: ClipSpan[]
  coverage: Coverage
  pins: Pin[]
  sizeBytes: number
  media: ClipMedia
}

/** Cuts what was recorded of `[from, to)`. Undefined when nothing was. Pure. */
export function makePlan(timelines: SessionTimeline[], from: Date, to: Date): Plan | undefined {
  const chosen = chooseSpans(timelines, from, to)
  if (chosen.length === 0) return undefined
  const parts = chosen.map((span) => ({ ...span, segments: neededSegments(span) }))
  const cut = cutClip(parts)
  const mp4 = buildMp4(cut)
  // Each span begins with the picture that was on the screen, and so at that picture's time.
  const exact = chosen.map(({ timeline }, i) => ({ timeline, ...(cut.spans[i] ?? { fromTicks: 0, toTicks: 0 }) }))
  return {
    spans: exact.map(({ timeline, fromTicks, toTicks }) => ({ sessionId: timeline.sessionId, fromTicks, toTicks })),
    coverage: describeCoverage(timelines, from, to, exact),
    pins: pinsOf(parts),
    sizeBytes: mp4.size,
    media: { cut, mp4 },
  }
}

/** Runs of segments that are there: one that lands later, in a gap, is no part of the clip. */
function pinsOf(parts: { timeline: SessionTimeline; segments: PlacedSegment[] }[]): Pin[] {
  const pins: Pin[] = []
  for (const sessionId of new Set(parts.map(({ timeline }) => timeline.sessionId))) {
    const own = parts.filter(({ timeline }) => timeline.sessionId === sessionId)
    const sequences = new Set(own.flatMap(({ segments }) => segments.map(({ sequence }) => sequence)))
    for (const sequence of [...sequences].toSorted((a, b) => a - b)) {
      const open = pins.at(-1)
      if (open?.sessionId === sessionId && open.last === sequence - 1) open.last = sequence
      else pins.push({ sessionId, first: sequence, last: sequence })
    }
  }
  return pins
}

/**
 * Whether more of a range that ends at `to` is still to land: one of the sessions grows,
 * and its share had not ended before the range does.
 */
export function isAwaited(sessions: Session[], timelines: SessionTimeline[], to: Date): boolean {
  return sessions.some((session) => {
    if (session.status === 'ended' || session.status === 'failed') return false
    const timeline = timelines.find(({ sessionId }) => sessionId === session.id)
    const landed = timeline?.placed.at(-1)
    if (!timeline || !landed) return true
    const wanted = Math.min(to.getTime(), session.share_ended_at?.getTime() ?? Infinity)
    return timeline.originMs + landed.toTicks / 90 < wanted
  })
}

/** What a plan says in a clip's row; without one, that nothing has landed yet. `waits`: more of it is still to land. */
export function planColumns(plan: Plan | undefined, from: Date, to: Date, waits: boolean) {
  const coverage = plan?.coverage ?? emptyCoverage(from, to)
  const spans = JSON.stringify(plan?.spans ?? [])
  return {
    coverage: JSON.stringify(coverage),
    spans,
    content_key: plan ? contentKey(plan) : null,
    from_at: plan ? new Date(coverage.coveredFrom) : from,
    to_at: plan ? new Date(coverage.coveredTo) : to,
    reserved_bytes: waits ? expectedBytes(plan, to) : (plan?.sizeBytes ?? 0),
  }
}

/** As many bytes a second as what has landed, for what is still to land: a quota is reserved before it is needed. */
export function expectedBytes(plan: Plan | undefined, to: Date): number {
  if (!plan) return 0
  const { coveredTo, coveredSeconds } = plan.coverage
  const missingSeconds = Math.max(0, to.getTime() - Date.parse(coveredTo)) / 1000
  return Math.ceil(plan.sizeBytes * (1 + missingSeconds / Math.max(1, coveredSeconds)))
}

/** The spans say what is shown; the segments around them, whose sound is heard; the size, how it was written. */
export function contentKey({ spans, pins, sizeBytes }: Plan): string {
  return createHash('sha256').update(JSON.stringify({ spans, pins, sizeBytes })).digest('hex')
}

function emptyCoverage(from: Date, to: Date): Coverage {
  const gaps = [{ from: from.toISOString(), to: to.toISOString(), reason: 'not_yet' as const }]
  return { ...describeCoverage([], from, to, []), gaps, clock: 'estimated' }
}
