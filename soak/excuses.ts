import type { TickRange } from '../src/media/timeline.ts'
import { subtract } from '../src/capture/ranges.ts'
import type { Sharer } from './sharers.ts'

/*
 * What a fault allows to be missing. Pure.
 * - `start`: shares that begin, or whose egress was lost, are recorded late; what is being
 *   recorded goes on, and nothing of it may be lost.
 * - `egress`: recordings end, of everybody or of one.
 */

export interface Excuse {
  kind: 'start' | 'egress'
  identity?: string
  from: number
  to: number
}

/** From a track that is published to its first recorded frame: 0.7 s, and what a busy machine adds. */
const START_MS = 6000

/** The end of a recording may lack what a busy machine had not drawn yet. */
const SLACK_MS = 1000

/** Stretches of what somebody shared that were never recorded, and nothing explains why. In ms. */
export function findHoles(sharer: Sharer, covered: TickRange[], excuses: Excuse[], until: number): TickRange[] {
  const shared = joined(sharer, until)
  const holes = subtract(shared, covered).filter(({ fromTicks, toTicks }) => toTicks - fromTicks > SLACK_MS)
  const own = excuses.filter(({ identity }) => identity === undefined || identity === sharer.identity)
  return holes.filter((hole) => !isExcused(hole, shared, own))
}

/** A share off and on again at once is one: its recording goes on. */
function joined({ spans }: Sharer, until: number): TickRange[] {
  const ranges: TickRange[] = []
  for (const { from, to } of spans) {
    const last = ranges.at(-1)
    const toTicks = Math.min(to ?? until, until)
    if (last && from - last.toTicks < 50) last.toTicks = toTicks
    else if (from < toTicks) ranges.push({ fromTicks: from, toTicks })
  }
  return ranges
}

/** It must begin where a recording had reason not to run, and end when the next one could have begun. */
function isExcused(hole: TickRange, shared: TickRange[], excuses: Excuse[]): boolean {
  const atStart = shared.some(({ fromTicks }) => Math.abs(fromTicks - hole.fromTicks) < SLACK_MS)
  const within = (excuse: Excuse, at: number) => excuse.from <= at && at <= excuse.to
  if (!atStart && !excuses.some((excuse) => excuse.kind === 'egress' && within(excuse, hole.fromTicks))) return false
  let end = hole.fromTicks + START_MS
  for (let moved = true; moved;) {
    const later = excuses.filter((excuse) => within(excuse, end) || within(excuse, hole.fromTicks))
    const next = Math.max(end, ...later.map(({ to }) => to + START_MS))
    moved = next > end
    end = next
  }
  return hole.toTicks <= end
}
