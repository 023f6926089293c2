import { keptRanges, overlapMs } from './ranges.js'
import { strings } from './strings.js'

const say = strings.health

/** What lands is 3 to 5 s old (segments of 2 s): later than this something is wrong. */
const LATE_MS = 20_000

/**
 * How a share's buffer does, in words.
 * @param {import('./api-types.ts').Session} session
 * @param {number} now
 * @returns {{ tone: 'good' | 'warn' | 'bad' | 'quiet', label: string, detail: string }}
 */
export function healthOf(session, now) {
  const { status, coverage, endedReason, expiresAt, error } = session
  const label = say[status]
  if (status === 'failed') return { tone: 'bad', label, detail: error ?? say.ended_(endedReason) }
  if (status === 'refused') return { tone: 'warn', label, detail: say.ended_(endedReason) }
  if (status === 'ended') {
    const until = expiresAt === null ? '' : ` · ${say.until(Date.parse(expiresAt))}`
    return { tone: 'quiet', label, detail: `${say.ended_(endedReason)}${until}` }
  }
  if (coverage.coveredTo === null) return { tone: 'quiet', label, detail: say.nothingYet }
  const lateMs = now - Date.parse(coverage.coveredTo)
  if (status === 'active' && lateMs > LATE_MS) return { tone: 'bad', label, detail: say.late(lateMs) }
  return { tone: status === 'active' ? 'good' : 'quiet', label, detail: gapsOf(coverage) }
}

/** @param {import('./api-types.ts').BufferCoverage} coverage */
function gapsOf(coverage) {
  const { coveredFrom, coveredTo, gaps } = coverage
  if (gaps.length === 0 || coveredFrom === null || coveredTo === null) return say.good
  const whole = { from: Date.parse(coveredFrom), to: Date.parse(coveredTo) }
  return say.gaps(gaps.length, whole.to - whole.from - overlapMs(whole, keptRanges(coverage)))
}

/** Whether more will come. @param {import('./api-types.ts').Session} session */
export const isLive = ({ status }) => status === 'starting' || status === 'active' || status === 'stopping'
