import type { EgressType } from '../config.ts'

/*
 * What a session must do, told by what is known of its user's shares. Pure, and a
 * function of facts that only ever come to be known: so the order in which they came,
 * and how often, makes no difference.
 */

/** A share as far as it is known. One that is known to be gone is never taken for a living one. */
export interface KnownShare {
  trackSid: string
  publishedAt: Date
  goneAt: Date | null
  goneReason: 'unshared' | 'left' | null
}

/** The one session that this user has in this room. */
export interface CurrentSession {
  status: 'starting' | 'active' | 'refused'
  egressType: EgressType
  /** The share that it records, or is to record. */
  trackSid: string | null
  /** Its share is gone, and it lingers for another. */
  shareEndedAt: Date | null
  endedReason: string | null
  /** LiveKit was asked for an egress, so which track it records cannot be chosen any more. */
  isAsked: boolean
}

export type Step<Share extends KnownShare = KnownShare> =
  /** All is as it should be. */
  | { step: 'keep' }
  | { step: 'start'; share: Share }
  /** The same egress goes on, with this share. */
  | { step: 'continue'; share: Share }
  /** This share wants an egress of its own; the one that runs is to be stopped. */
  | { step: 'replace'; share: Share }
  | { step: 'linger'; at: Date | undefined; reason: 'unshared' | 'left' }
  /** Nothing was recorded, and nothing is left to record. */
  | { step: 'discard' }

/** Of several shares of one user the latest is recorded (contract section 4). */
export function latestShare<Share extends KnownShare>(shares: Share[]): Share | undefined {
  const living = shares.filter((share) => !share.goneAt)
  return living.reduce<Share | undefined>((best, share) => (best && isLater(best, share) ? best : share), undefined)
}

/** What follows for the session from all shares of its user that are alive, and its own, alive or not. */
export function followShare<Share extends KnownShare>(
  session: CurrentSession | undefined,
  shares: Share[],
): Step<Share> {
  const share = latestShare(shares)
  if (!session) return share ? { step: 'start', share } : { step: 'keep' }
  const own = shares.find((candidate) => candidate.trackSid === session.trackSid)
  if (!share) return withoutShare(session, own)
  if (share.trackSid === session.trackSid) return session.shareEndedAt ? { step: 'continue', share } : { step: 'keep' }
  if (session.status === 'refused' || (session.status === 'starting' && !session.isAsked))
    return { step: 'continue', share }
  return needsOwnEgress(session, own, share) ? { step: 'replace', share } : { step: 'continue', share }
}

function withoutShare(session: CurrentSession, own: KnownShare | undefined): Step<never> {
  if (session.status === 'refused') return { step: 'discard' }
  const reason = own?.goneReason ?? 'unshared'
  if (session.shareEndedAt && session.endedReason === reason) return { step: 'keep' }
  return { step: 'linger', at: own?.goneAt ?? undefined, reason }
}

/**
 * A track composite egress has the tracks that it was given. A participant egress takes
 * up every new share, but does not go back to an older one when the newer ends: from
 * then on it records black (contract section 4).
 */
function needsOwnEgress(session: CurrentSession, own: KnownShare | undefined, share: KnownShare): boolean {
  if (session.egressType === 'track_composite') return true
  return own?.goneAt ? isLater(own, share) : false
}

function isLater(a: KnownShare, b: KnownShare): boolean {
  const byTime = a.publishedAt.getTime() - b.publishedAt.getTime()
  return byTime === 0 ? a.trackSid > b.trackSid : byTime > 0
}
