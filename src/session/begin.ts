import type { AutoStartMode, Quality } from '../config.ts'
import type { Session } from '../db/schema.ts'
import type { AutoStart } from './auto-start.ts'

/** How a share's session begins: with what its predecessor had, and after what pause. */
export type Beginning =
  | { begins: false; why: 'stopped_by_user' | 'opted_out' | 'not_opted_in' | 'no_person' | 'auto_start_off' }
  | {
      begins: true
      requestedBy: Session['requested_by']
      quality: Quality
      communityId: string | null
      attempt: number
      pauseMs: number
    }

/** An egress that ran for this long was no failure at the start: its successor begins at once. */
const STABLE_MS = 60_000

const FIRST_PAUSE_MS = 5000
const LONGEST_PAUSE_MS = 300_000

const TROUBLE = new Set(['failed', 'lost', 'limit', 'egress_ended', 'left'])

/**
 * Whether a living share gets a session, told by the one it had before. `asked` is what
 * its participant's attributes say, as far as they were looked at: a share that was opted
 * out stays so until they were.
 */
export function decideBeginning(
  before: Session | undefined,
  asked: AutoStart | undefined,
  config: { autoStart: AutoStartMode; quality: Quality },
): Beginning {
  if (before?.ended_reason === 'stopped') return { begins: false, why: 'stopped_by_user' }
  if (asked && asked !== 'record') return { begins: false, why: asked }
  if (!asked && before?.ended_reason === 'opted_out') return { begins: false, why: 'opted_out' }
  if (!before && config.autoStart === 'off') return { begins: false, why: 'auto_start_off' }
  const attempt = before ? nextAttempt(before) : 0
  return {
    begins: true,
    requestedBy: before?.requested_by ?? 'webhook',
    quality: before?.quality ?? config.quality,
    communityId: before?.community_id ?? null,
    attempt,
    pauseMs: attemptPauseMs(attempt),
  }
}

/** How many sessions of this share came to nothing one after the other. */
function nextAttempt(before: Session): number {
  if (!before.ended_at || !TROUBLE.has(before.ended_reason ?? '')) return 0
  const ranMs = before.started_at ? before.ended_at.getTime() - before.started_at.getTime() : 0
  return ranMs >= STABLE_MS ? 0 : before.attempt + 1
}

/** The first successor comes at once, the next after 5, 10, 20 … seconds, in the end every five minutes. */
export function attemptPauseMs(attempt: number): number {
  return attempt < 2 ? 0 : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 2))
}

/** Between two tries of one start call: 1, 2, 4 … seconds, in the end once a minute. */
export function startPauseMs(tries: number): number {
  return Math.min(60_000, 1000 * 2 ** tries)
}
