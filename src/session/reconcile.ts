import type { Session } from '../db/schema.ts'
import type { EgressFacts } from '../livekit/egress-facts.ts'
import type { Participant } from '../livekit/room-service.ts'
import { applyEgressFacts, endSession } from './lifecycle.ts'
import { findSession, listUnendedSessions } from './session.repo.ts'
import { participantGone, shareGone, shareSeen } from './share.ts'
import type { StartDeps } from './start-egress.ts'

/*
 * Webhooks are hints. Once a minute LiveKit itself is asked what is so, and what was
 * missed is done by the functions that a webhook would have called. Repeating it
 * changes nothing.
 */

/** A session's row may be younger than LiveKit's answer to a question asked before it. */
const SETTLE_MS = 5000

/** Asks LiveKit and repairs. Returns what it found. Throws `livekit_unavailable`, and has then changed nothing wrongly. */
export async function reconcile(deps: StartDeps) {
  const ended = await reconcileEgresses(deps)
  const { seen, gone } = await reconcileShares(deps)
  const orphans = await stopOrphans(deps)
  return { ended, seen, gone, orphans }
}

/** Sessions against their egresses: what LiveKit says of each, or that it knows nothing of it. */
async function reconcileEgresses(deps: StartDeps): Promise<number> {
  let ended = 0
  for (const session of await listUnendedSessions(deps.db)) {
    if (!session.egress_id) continue
    const facts = await deps.egress.find(session.egress_id)
    const outcome = await deps.db
      .transaction()
      .execute((trx) => (facts ? applyEgressFacts(deps, trx, facts) : endSession(deps, trx, session.id, 'egress_lost')))
    if (outcome.outcome !== 'moved') continue
    ended += 1
    deps.log.warn('session repaired', { sessionId: session.id, from: outcome.from, status: outcome.status })
  }
  return ended
}

/** Shares against sessions, in every room that LiveKit or we know of. */
async function reconcileShares(deps: StartDeps): Promise<{ seen: number; gone: number }> {
  const sessions = (await listUnendedSessions(deps.db)).filter((session) => session.status !== 'stopping')
  const rooms = new Set([...(await deps.rooms.listRooms()), ...sessions.map((session) => session.room)])
  const counts = { seen: 0, gone: 0 }
  for (const room of rooms) {
    const participants = await deps.rooms.listParticipants(room)
    for (const participant of participants) counts.seen += await seeShare(deps, room, participant)
    for (const session of sessions.filter((candidate) => candidate.room === room))
      counts.gone += await missShare(deps, session, participants)
  }
  return counts
}

async function seeShare(deps: StartDeps, room: string, participant: Participant): Promise<number> {
  if (!participant.isPerson || !participant.screenShare) return 0
  const share = {
    room,
    roomSid: undefined,
    userId: participant.identity,
    participantSid: participant.participantSid,
    trackSid: participant.screenShare.trackSid,
    seenAt: deps.now(),
  }
  const outcome = await deps.db.transaction().execute((trx) => shareSeen(deps, trx, share))
  if (outcome !== 'session_created' && outcome !== 'session_continued') return 0
  deps.log.warn('missed share found', { room, user: participant.identity, outcome })
  return 1
}

async function missShare(deps: StartDeps, session: Session, participants: Participant[]): Promise<number> {
  if (session.share_ended_at || deps.now().getTime() - session.created_at.getTime() < SETTLE_MS) return 0
  const owner = participants.find((participant) => participant.identity === session.user_id)
  if (owner?.screenShare) return 0
  const gone = { participantSid: session.participant_sid ?? '', at: deps.now() }
  const concerned = await deps.db
    .transaction()
    .execute((trx) =>
      owner
        ? shareGone(deps, trx, { ...gone, trackSid: session.video_track_sid ?? '' })
        : participantGone(deps, trx, gone),
    )
  if (concerned > 0) deps.log.warn('missed end of a share found', { sessionId: session.id, room: session.room })
  return concerned
}

/** Egresses that write under our path for no session that wants them. */
async function stopOrphans(deps: StartDeps): Promise<number> {
  let stopped = 0
  for (const facts of await deps.egress.listActive()) {
    if (!facts.sessionId || facts.state === 'ending' || !(await isOrphan(deps, facts))) continue
    const outcome = await deps.egress.stop(facts.egressId)
    if (outcome !== 'stopping') continue
    stopped += 1
    deps.log.warn('orphaned egress stopped', { egressId: facts.egressId, sessionId: facts.sessionId })
  }
  return stopped
}

async function isOrphan(deps: StartDeps, facts: EgressFacts): Promise<boolean> {
  const session = facts.sessionId === undefined ? undefined : await findSession(deps.db, facts.sessionId)
  if (!session) return true
  const isOurs = session.egress_id === null || session.egress_id === facts.egressId
  return !isOurs || session.status === 'ended' || session.status === 'failed'
}
