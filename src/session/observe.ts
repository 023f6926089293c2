import type { Trx } from '../db/connect.ts'
import type { Participant } from '../livekit/room-service.ts'
import type { LifecycleDeps } from './create-session.ts'
import { setStoppingSharesEnded } from './session.repo.ts'
import { findDeparture, listLivingShares, lockUser, recordShare, setShareAlive, setShareGone } from './share.repo.ts'
import { followShares, type ShareOutcome } from './share.ts'

/** What LiveKit answered when it was asked for a user: the participant, or that there is none. */
export interface Observation {
  room: string
  userId: string
  participant: Participant | undefined
  /** Before the question went out: what came to be known since is newer than the answer. */
  askedAt: Date
}

/** LiveKit may answer with what was so a little before it was asked. */
export const SETTLE_MS = 5000

/** LiveKit tries to deliver a webhook for so long (contract section 6). */
const DELIVERY_MS = 15_000

/** Whether a webhook may still come of what happened then: who asked LiveKit meanwhile was quicker, and nothing was missed. */
export function isOnItsWay(now: Date, happenedAt: Date | undefined): boolean {
  return happenedAt !== undefined && now.getTime() - happenedAt.getTime() < DELIVERY_MS
}

/** Records what LiveKit answered of a user's shares. The caller holds the user's lock, and follows. */
export async function recordObservation(deps: LifecycleDeps, trx: Trx, seen: Observation): Promise<void> {
  const settled = new Date(seen.askedAt.getTime() - SETTLE_MS)
  const person = seen.participant?.isPerson ? seen.participant : undefined
  const shown = person?.screenShares ?? []
  for (const share of await listLivingShares(trx, seen)) {
    if (shown.some(({ trackSid }) => trackSid === share.track_sid) || share.seen_at > settled) continue
    const stayed = person?.participantSid === share.participant_sid
    await setShareGone(trx, share.track_sid, { at: seen.askedAt, reason: stayed ? 'unshared' : 'left' })
    await setStoppingSharesEnded(trx, seen.room, seen.userId)
  }
  if (!person) return
  const departure = await findDeparture(trx, { participantSid: person.participantSid, roomSid: undefined })
  const isGone = departure !== undefined && departure > settled
  for (const { trackSid, publishedAt } of shown) {
    const recorded = await recordShare(trx, {
      track_sid: trackSid,
      room: seen.room,
      // LiveKit's answer names the room, of which there may be another by now; the webhook knows which it was.
      room_sid: null,
      user_id: seen.userId,
      participant_sid: person.participantSid,
      published_at: publishedAt ?? seen.askedAt,
      seen_at: deps.now(),
      gone_at: isGone ? departure : null,
      gone_reason: isGone ? 'left' : null,
    })
    if (recorded.gone_at && recorded.gone_at < settled) await setShareAlive(trx, trackSid, person.participantSid)
  }
}

/** Takes up what LiveKit answered: the user's session follows it. Repeating it changes nothing. */
export async function observeUser(deps: LifecycleDeps, trx: Trx, seen: Observation): Promise<ShareOutcome> {
  await lockUser(trx, seen.room, seen.userId)
  await recordObservation(deps, trx, seen)
  return followShares(deps, trx, seen, seen.participant)
}
