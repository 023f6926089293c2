import type { EndedReason, SessionStatus } from '../db/schema.ts'
import type { EgressState } from '../livekit/egress-facts.ts'

/**
 * What can happen to a session. `start_dropped`: its share was gone before an egress was
 * asked for. `start_refused` and `start_again`: a limit or the disk was in the way, and is no more.
 */
export type SessionEvent =
  | 'egress_active'
  | 'egress_ending'
  | 'egress_complete'
  | 'egress_failed'
  | 'egress_aborted'
  | 'egress_limit_reached'
  | 'egress_lost'
  | 'stop_asked'
  | 'start_dropped'
  | 'start_refused'
  | 'start_again'

/**
 * Webhooks come late, twice and out of order, so the table is total: a missing cell
 * means "already past that", which is an outcome and not an error. ENDING is not an
 * end: the last segments are still to land.
 */
const NEXT: Record<SessionStatus, Partial<Record<SessionEvent, SessionStatus>>> = {
  starting: {
    egress_active: 'active',
    egress_ending: 'stopping',
    egress_complete: 'ended',
    egress_failed: 'failed',
    egress_aborted: 'ended',
    egress_limit_reached: 'ended',
    egress_lost: 'failed',
    stop_asked: 'stopping',
    start_dropped: 'ended',
    start_refused: 'refused',
  },
  active: {
    egress_ending: 'stopping',
    egress_complete: 'ended',
    egress_failed: 'failed',
    egress_aborted: 'ended',
    egress_limit_reached: 'ended',
    egress_lost: 'ended',
    stop_asked: 'stopping',
  },
  refused: {
    start_dropped: 'ended',
    start_again: 'starting',
  },
  stopping: {
    egress_complete: 'ended',
    egress_failed: 'failed',
    egress_aborted: 'ended',
    egress_limit_reached: 'ended',
    egress_lost: 'ended',
    start_dropped: 'ended',
  },
  ended: {},
  failed: {},
}

/** The status after the event, or undefined when the session is already past it. */
export function nextStatus(status: SessionStatus, event: SessionEvent): SessionStatus | undefined {
  return NEXT[status][event]
}

/** The event that an egress in this state stands for; STARTING tells nothing that a session does not know. */
export function eventOf(state: EgressState): SessionEvent | undefined {
  return state === 'starting' ? undefined : `egress_${state}`
}

/**
 * Why a session ended: what was known before it did (a stop asked for, a share gone) goes
 * first. `stopped` is the user's word alone: whoever else stops an egress of ours ends
 * the session, and not the recording. `closed` is the type of an egress that ended
 * because its source did.
 */
export function endedReason(
  known: EndedReason | null,
  event: SessionEvent,
  closed: 'participant' | 'track_composite' | undefined,
): EndedReason {
  // A participant egress closes with its participant, a track composite with its tracks.
  if (closed && (known ?? 'unshared') === 'unshared') return closed === 'participant' ? 'left' : 'unshared'
  if (known) return known
  if (event === 'egress_failed') return 'failed'
  if (event === 'egress_lost') return 'lost'
  if (event === 'egress_limit_reached') return 'limit'
  if (event === 'start_dropped') return 'unshared'
  return 'egress_ended'
}
