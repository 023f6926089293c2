import type { Trx } from '../db/connect.ts'
import type { Session, SessionStatus } from '../db/schema.ts'
import { enqueue } from '../job/jobs.ts'
import type { EgressFacts } from '../livekit/egress-facts.ts'
import { lockSession, lockSessionByEgress, setSession } from './session.repo.ts'
import { createSession, type LifecycleDeps } from './share.ts'
import { endedReason, eventOf, nextStatus, type SessionEvent } from './transition.ts'

export type EgressOutcome =
  | { outcome: 'unknown_egress' }
  | { outcome: 'already_past'; sessionId: string; status: SessionStatus }
  | { outcome: 'moved'; sessionId: string; from: SessionStatus; status: SessionStatus }

/**
 * The egress's side of a session, and the only writer of its status beside `askToStop`.
 * Webhooks, start answers and reconcile all call it with what LiveKit said.
 */
export async function applyEgressFacts(deps: LifecycleDeps, trx: Trx, facts: EgressFacts): Promise<EgressOutcome> {
  const session = await lockSessionByEgress(trx, facts.egressId, facts.sessionId)
  // A second egress under the path of a session that has its own is an orphan: reconcile stops it.
  if (!session || (session.egress_id && session.egress_id !== facts.egressId)) return { outcome: 'unknown_egress' }
  await learnFrom(trx, session, facts)
  const runs = facts.state === 'starting' || facts.state === 'active'
  const event = eventOf(facts.state)
  const outcome = event ? await move(deps, trx, session, event, facts) : alreadyPast(session)
  // Asked to stop, or given up, while the start was still on its way.
  if (runs && !['starting', 'active'].includes(session.status))
    await enqueue(trx, 'stop_egress', session.id, { sessionId: session.id }, { key: `stop:${session.id}` })
  return outcome
}

/** Ends a session without word from its egress: it is lost, or was never started. */
export async function endSession(
  deps: LifecycleDeps,
  trx: Trx,
  sessionId: string,
  event: 'egress_lost' | 'start_dropped',
): Promise<EgressOutcome> {
  const session = await lockSession(trx, sessionId)
  return session ? move(deps, trx, session, event, {}) : { outcome: 'unknown_egress' }
}

async function learnFrom(trx: Trx, session: Session, facts: EgressFacts): Promise<void> {
  const known = session.clock_source === 'measured' || !facts.startedAt
  const clock = known ? {} : { clock_origin: facts.startedAt ?? null, clock_source: 'measured' as const }
  if (session.egress_id && known) return
  await setSession(trx, session.id, { egress_id: facts.egressId, ...clock })
}

const alreadyPast = (session: Session) =>
  ({ outcome: 'already_past', sessionId: session.id, status: session.status }) as const

async function move(
  deps: LifecycleDeps,
  trx: Trx,
  session: Session,
  event: SessionEvent,
  facts: Partial<EgressFacts>,
): Promise<EgressOutcome> {
  const status = nextStatus(session.status, event)
  if (!status) return alreadyPast(session)
  if (status === 'active') await setSession(trx, session.id, { status, started_at: facts.startedAt ?? deps.now() })
  if (status === 'stopping') await setSession(trx, session.id, { status })
  if (status === 'ended' || status === 'failed') await end(deps, trx, session, status, event, facts)
  return { outcome: 'moved', sessionId: session.id, from: session.status, status }
}

async function end(
  deps: LifecycleDeps,
  trx: Trx,
  session: Session,
  status: 'ended' | 'failed',
  event: SessionEvent,
  facts: Partial<EgressFacts>,
): Promise<void> {
  const reason = endedReason(session.ended_reason, event, facts.sourceClosed ?? false)
  const now = deps.now()
  // Who stops a session by hand wants its buffer gone, and one that never recorded has none.
  const isUnwanted = session.ended_reason === 'stopped' || !session.egress_id
  const graceMs = isUnwanted ? 0 : deps.config.graceMs
  const expiresAt = new Date(now.getTime() + graceMs)
  await setSession(trx, session.id, {
    status,
    ended_reason: reason,
    error: facts.error ?? null,
    ended_at: now,
    expires_at: expiresAt,
  })
  await enqueue(
    trx,
    'purge_session',
    session.id,
    { sessionId: session.id },
    { key: `purge:${session.id}`, runAt: expiresAt },
  )
  if (shareMayLive(session, event)) await succeed(deps, trx, session)
}

/**
 * The egress went but nobody said that the share did. One that ended before it recorded
 * anything is left to reconcile, or a broken worker would be asked again without pause.
 */
function shareMayLive(session: Session, event: SessionEvent): boolean {
  const recorded = session.status !== 'starting' && session.started_at !== null
  return recorded && event !== 'egress_limit_reached' && !session.share_ended_at && !session.ended_reason
}

async function succeed(deps: LifecycleDeps, trx: Trx, session: Session): Promise<void> {
  if (!session.participant_sid || !session.video_track_sid) return
  const share = {
    room: session.room,
    roomSid: session.room_sid ?? undefined,
    userId: session.user_id,
    participantSid: session.participant_sid,
    trackSid: session.video_track_sid,
    seenAt: deps.now(),
  }
  await createSession(deps, trx, share, session.requested_by, session.quality, session.community_id)
}
