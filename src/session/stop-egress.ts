import type { Session } from '../db/schema.ts'
import type { EgressApi } from '../livekit/egress.ts'
import type { Log } from '../log.ts'
import { applyEgressFacts, endSession } from './lifecycle.ts'
import { lockSession } from './session.repo.ts'
import { setStopping, type LifecycleDeps } from './share.ts'
import { dropStart } from './start-egress.ts'

export interface StopDeps extends LifecycleDeps {
  log: Log
  egress: EgressApi
}

/**
 * The job `stop_egress`, at the end of a share's linger or when a stop was asked for.
 * What LiveKit answers decides (contract section 9): an egress that does not answer is
 * lost, and keeps its buffer.
 */
export async function stopEgress(deps: StopDeps, { sessionId }: { sessionId: string }): Promise<string> {
  const session = await deps.db.transaction().execute(async (trx) => {
    const locked = await lockSession(trx, sessionId)
    const lingered = locked?.share_ended_at && ['starting', 'active'].includes(locked.status)
    if (locked && lingered) await setStopping(trx, locked, locked.ended_reason ?? 'unshared')
    return locked && (lingered ? { ...locked, status: 'stopping' as const } : locked)
  })
  if (!session || ['starting', 'active'].includes(session.status)) return 'share_came_back'
  const egressId = session.egress_id ?? (await findUnboundEgress(deps, session))
  if (!egressId) return dropStart(deps, session)
  const outcome = await deps.egress.stop(egressId)
  deps.log.info('egress asked to stop', { sessionId, egressId, outcome })
  if (outcome === 'stopping') return outcome
  const facts = outcome === 'ended' ? await deps.egress.find(egressId) : undefined
  await deps.db.transaction().execute(async (trx) => {
    if (facts) await applyEgressFacts(deps, trx, facts)
    else await endSession(deps, trx, sessionId, 'egress_lost')
  })
  return outcome
}

/** The start call's answer may have been lost, and the egress run all the same. */
async function findUnboundEgress(deps: StopDeps, session: Session): Promise<string | undefined> {
  const running = await deps.egress.listActive(session.room)
  return running.find((facts) => facts.sessionId === session.id)?.egressId
}
