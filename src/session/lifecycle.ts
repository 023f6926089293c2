import type { Trx } from '../db/connect.ts'
import type { Session, SessionStatus } from '../db/schema.ts'
import { enqueue } from '../job/jobs.ts'
import type { EgressFacts } from '../livekit/egress-facts.ts'
import { enqueueStop, type LifecycleDeps } from './create-session.ts'
import { lockSession, setSession } from './session.repo.ts'
import { lockUserOfSession } from './share.repo.ts'
import { followShares } from './share.ts'
import { endedReason, eventOf, nextStatus, type SessionEvent } from './transition.ts'

export type EgressOutcome =
  | { outcome: 'unknown_egress' }
  | { outcome: 'already_past'; sessionId: string; status: SessionStatus }
  | { outcome: 'moved'; sessionId: string; from: SessionStatus; status: SessionStatus }

/**
 * The egress's side of a session, and the only writer of its status beside `askToStop`.
 * Webhooks, start answers and reconcile all call it with what LiveKit said. An egress
 * that runs where no session wants it is stopped.
 */
export async function applyEgressFacts(deps: LifecycleDeps, trx: Trx, facts: EgressFacts): Promise<EgressOutcome> {
  const runs = facts.state === 'starting' || facts.state === 'active'
  const session = await lockSessionOf(trx, { sessionId: facts.sessionId, egressId: facts.egressId })
  if (!session || (session.egress_id && session.egress_id !== facts.egressId)) {
    if (runs && facts.sessionId) await enqueueStrayStop(trx, facts.sessionId, facts.egressId)
    return { outcome: 'unknown_egress' }
  }
  await learnFrom(trx, session, facts)
  const event = eventOf(facts.state)
  const outcome = event ? await move(deps, trx, session, event, facts) : alreadyPast(session)
  // Asked to stop, or given up, while the start was still on its way.
  if (runs && !['starting', 'active'].includes(session.status)) await enqueueStop(trx, session.id, 0)
  return outcome
}

/** Ends a session without word from its egress: it is lost, or was never started. */
export async function endSession(
  deps: LifecycleDeps,
  trx: Trx,
  sessionId: string,
  event: 'egress_lost' | 'start_dropped',
): Promise<EgressOutcome> {
  const session = await lockSessionOf(trx, { sessionId })
  return session ? move(deps, trx, session, event, {}) : { outcome: 'unknown_egress' }
}

/** A session's row, after its user's lock. */
export async function lockSessionOf(
  trx: Trx,
  by: { sessionId: string | undefined; egressId?: string },
): Promise<Session | undefined> {
  const id = await lockUserOfSession(trx, by)
  return id === undefined ? undefined : lockSession(trx, id)
}

/** An egress under our path that is no session's: a second start, or one whose session was given up. */
export async function enqueueStrayStop(trx: Trx, sessionId: string, egressId: string): Promise<void> {
  await enqueue(trx, 'stop_stray', sessionId, { egressId }, { key: `stray:${egressId}` })
}

async function learnFrom(trx: Trx, session: Session, facts: EgressFacts): Promise<void> {
  const known = session.clock_source === 'measured' || !facts.startedAt
  const clock = known ? {} : { clock_origin: facts.startedAt ?? null, clock_source: 'measured' as const }
  if (session.egress_id && known) return
  await setSession(trx, session.id, { egress_id: facts.egressId, ...clock })
  session.egress_id = facts.egressId
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
  const reason = endedReason(session.ended_reason, event, facts.sourceClosed ? session.egress_type : undefined)
  const now = deps.now()
  // Who stops a session by hand wants its buffer gone, and one that never recorded has none.
  const isUnwanted = session.ended_reason === 'stopped' || !session.egress_id
  const graceMs = isUnwanted ? 0 : deps.config.graceMs
  const startedAt = session.started_at ?? facts.startedAt ?? null
  await setSession(trx, session.id, {
    status,
    ended_reason: reason,
    error: facts.error ?? null,
    started_at: startedAt,
    ended_at: now,
    expires_at: new Date(now.getTime() + graceMs),
  })
  const purge = { key: `purge:${session.id}`, inMs: graceMs }
  await enqueue(trx, 'purge_session', session.id, { sessionId: session.id }, purge)
  // The egress went, but perhaps the share did not: then it has another session at once.
  await followShares(deps, trx, { room: session.room, userId: session.user_id })
}
