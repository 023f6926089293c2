import type { Db } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import type { TickRange } from '../media/timeline.ts'
import { listSegments } from '../segment/segment.repo.ts'
import { listShareSpans } from '../session/session.repo.ts'
import { isoOf, secondsOf } from './coverage.ts'
import { sharedRanges, TICKS_PER_MS, TOLERANCE_TICKS, toWall } from './cut-plan.ts'
import { intersect, merge, subtract } from './ranges.ts'

/** What of a session can be captured now. Null instants: nothing yet. */
export interface BufferCoverage {
  coveredFrom: string | null
  coveredTo: string | null
  coveredSeconds: number
  gaps: { from: string; to: string }[]
}

const LONGEST_MS = 2 ** 31 - 1

/** A session's buffer by its rows alone: what landed, could be read, and was shared. */
export async function describeBuffer(db: Db, session: Session): Promise<BufferCoverage> {
  const originMs = session.clock_origin?.getTime()
  if (originMs === undefined) return { coveredFrom: null, coveredTo: null, coveredSeconds: 0, gaps: [] }
  const segments = await listSegments(db, session.id, 0, LONGEST_MS)
  const shares = await listShareSpans(db, session.id)
  const landed = merge(
    segments
      .filter((segment) => segment.unreadable === null)
      .map(({ start_ms, duration_ms }) => ({
        fromTicks: start_ms * TICKS_PER_MS,
        toTicks: (start_ms + duration_ms) * TICKS_PER_MS,
      })),
    TOLERANCE_TICKS,
  ).map((range) => toWall({ originMs }, range))
  const shared = sharedRanges({
    shared: shares.map((span) => ({ fromMs: span.shared_from.getTime(), toMs: span.shared_to?.getTime() })),
  })
  return inWords(intersect(landed, shared))
}

function inWords(covered: TickRange[]): BufferCoverage {
  const [first] = covered
  const last = covered.at(-1)
  if (!first || !last) return { coveredFrom: null, coveredTo: null, coveredSeconds: 0, gaps: [] }
  const gaps = subtract([{ fromTicks: first.fromTicks, toTicks: last.toTicks }], covered)
  return {
    coveredFrom: isoOf(first.fromTicks),
    coveredTo: isoOf(last.toTicks),
    coveredSeconds: secondsOf(covered),
    gaps: gaps.map((gap) => ({ from: isoOf(gap.fromTicks), to: isoOf(gap.toTicks) })),
  }
}
