import type { Trx } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import type { EgressFacts } from '../livekit/egress-facts.ts'
import type { EgressApi } from '../livekit/egress.ts'
import type { RoomApi } from '../livekit/room-service.ts'
import type { Log } from '../log.ts'
import { enqueueStop, setStopping, type LifecycleDeps } from './create-session.ts'
import { applyEgressFacts, endSession, lockSessionOf } from './lifecycle.ts'
import { observeUser } from './observe.ts'
import { discardSession, findSession, lockSession } from './session.repo.ts'

export interface StopDeps extends LifecycleDeps {
  log: Log
  egress: EgressApi
  rooms: RoomApi
}

/** An egress that said it would stop has this long to end, before it is asked again. */
const STOP_CHECK_MS = 30_000
const MOST_TRIES = 4

/**
 * The job `stop_egress`, at the end of a share's linger or when a stop was asked for.
 * What LiveKit answers decides (contract section 9); an egress that does not answer is
 * lost, and keeps its buffer.
 */
export async function stopEgress(
  deps: StopDeps,
  { sessionId, tries = 0 }: { sessionId: string; tries?: number },
): Promise<string> {
  const session = await settleLinger(deps, await findSession(deps.db, sessionId))
  if (!session) return 'not_needed'
  if (!isOver(session) && session.status !== 'stopping') return 'share_came_back'
  if (isOver(session) && (tries > 0 || !session.egress_id)) return 'not_needed'
  const egressId = session.egress_id ?? (await findUnboundEgress(deps, session))
  if (!egressId) return dropStart(deps, session)
  const known = tries > 0 ? await deps.egress.find(egressId) : undefined
  if (known && hasEnded(known)) return settle(deps, sessionId, known)
  const answer = await deps.egress.stop(egressId)
  deps.log.info('egress asked to stop', { sessionId, egressId, answer })
  if (isOver(session)) return answer
  const facts = answer === 'unknown' ? undefined : await deps.egress.find(egressId)
  if (!facts || hasEnded(facts)) return settle(deps, sessionId, facts)
  // While it starts it may not answer and obey all the same. Running, it either says that it stops, or it is dead.
  const mayStillEnd = answer === 'stopping' || answer === 'ended' || facts.state === 'starting'
  if (!mayStillEnd || tries >= MOST_TRIES) return settle(deps, sessionId, undefined)
  await enqueueStop(deps.db, sessionId, STOP_CHECK_MS, tries + 1)
  return answer
}

/** The job `stop_stray`: an egress that writes under our path and is no session's. */
export async function stopStray(deps: Pick<StopDeps, 'egress' | 'log'>, { egressId }: { egressId: string }) {
  const answer = await deps.egress.stop(egressId)
  if (answer === 'stopping') deps.log.warn('stray egress stopped', { egressId })
  return answer
}

/** Before a lingering session is stopped LiveKit is asked whether its share is back: the webhook may be lost. */
async function settleLinger(deps: StopDeps, session: Session | undefined): Promise<Session | undefined> {
  if (!session || !isLingering(session)) return session
  const { room, user_id: userId } = session
  const askedAt = deps.now()
  const participant = await deps.rooms.findParticipant(room, userId)
  return deps.db.transaction().execute(async (trx) => {
    await observeUser(deps, trx, { room, userId, participant, askedAt })
    const locked = await lockSession(trx, session.id)
    if (!locked || !isLingering(locked)) return locked
    await setStopping(trx, locked, locked.ended_reason ?? 'unshared')
    return { ...locked, status: 'stopping' }
  })
}

const isOver = ({ status }: Session) => status === 'ended' || status === 'failed'

const isLingering = ({ status, share_ended_at }: Session) =>
  share_ended_at !== null && (status === 'starting' || status === 'active')

const hasEnded = ({ state }: EgressFacts) => ['complete', 'failed', 'aborted', 'limit_reached'].includes(state)

/** Ends the session with what LiveKit knows of its egress, or as lost if that is nothing. */
async function settle(deps: StopDeps, sessionId: string, facts: EgressFacts | undefined): Promise<string> {
  await deps.db.transaction().execute(async (trx) => {
    if (facts) await applyEgressFacts(deps, trx, facts)
    else await endSession(deps, trx, sessionId, 'egress_lost')
  })
  return facts ? 'ended' : 'lost'
}

/** The start call's answer may have been lost, and the egress run all the same. */
async function findUnboundEgress(deps: StopDeps, session: Session): Promise<string | undefined> {
  if (!session.start_sent_at) return undefined
  const running = await deps.egress.listActive(session.room)
  return running.find((facts) => facts.sessionId === session.id)?.egressId
}

/** Its share went, or somebody stopped it, before anything was recorded. */
async function dropStart(deps: StopDeps, session: Session): Promise<string> {
  await deps.db.transaction().execute((trx) => dropSession(deps, trx, session.id))
  deps.log.info('start dropped', { sessionId: session.id, room: session.room, why: session.ended_reason })
  return 'start_dropped'
}

/** Only what LiveKit was asked for, or somebody asked us, is worth a row. */
async function dropSession(deps: LifecycleDeps, trx: Trx, id: string): Promise<void> {
  const session = await lockSessionOf(trx, { sessionId: id })
  if (!session) return
  const isKnown = session.start_sent_at || session.requested_by === 'api' || session.ended_reason === 'stopped'
  if (isKnown) await endSession(deps, trx, id, 'start_dropped')
  else await discardSession(trx, id, deps.now())
}
