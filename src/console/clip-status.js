import { overlapMs, keptRanges, toRange, without } from './ranges.js'
import { strings } from './strings.js'

const say = strings.clip

/** @typedef {import('./store.js').Clip} Clip */

/**
 * How a clip is, in a word or two.
 * @param {Clip} clip
 * @returns {{ tone: 'good' | 'warn' | 'bad' | 'busy', label: string }}
 */
export function statusOf(clip) {
  if (clip.status === 'failed') return { tone: 'bad', label: say.failed }
  if (clip.status === 'waiting') return { tone: 'busy', label: say.making }
  if (clip.coverage.complete) return { tone: 'good', label: say.complete }
  return { tone: 'warn', label: say.incomplete(missingMs(clip)) }
}

/** @param {Clip} clip */
export const askedRange = ({ coverage }) => toRange({ from: coverage.requestedFrom, to: coverage.requestedTo })

/** What of the asked-for range is in it. @param {Clip} clip */
export function shownRanges({ coverage, status }) {
  const asked = toRange({ from: coverage.requestedFrom, to: coverage.requestedTo })
  // What has not landed yet is a gap of a clip that waits.
  const gaps = coverage.gaps.map(toRange)
  return status === 'failed' ? [] : without(asked, gaps)
}

/** @param {Clip} clip */
const missingMs = (clip) => {
  const asked = askedRange(clip)
  return asked.to - asked.from - overlapMs(asked, shownRanges(clip))
}

/**
 * How much of a clip that waits has landed, from 0 to 1.
 * @param {Clip} clip
 * @param {import('./store.js').Session | undefined} session
 */
export function landedPart(clip, session) {
  const asked = askedRange(clip)
  const landed = session ? overlapMs(asked, keptRanges(session.coverage)) : clip.coverage.coveredSeconds * 1000
  return Math.min(1, landed / Math.max(1, asked.to - asked.from))
}
