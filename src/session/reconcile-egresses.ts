import type { Session } from '../db/schema.ts'
import type { EgressFacts } from '../livekit/egress-facts.ts'
import { isEnqueued } from '../job/jobs.ts'
import { askToStart, enqueueStop, startKey, stopKey } from './create-session.ts'
import { applyEgressFacts, endSession, type EgressOutcome } from './lifecycle.ts'
import { isOnItsWay } from './observe.ts'
import { findSession, listUnendedSessions } from './session.repo.ts'
import type { StartDeps } from './start-egress.ts'

/** When a stray egress that did not answer is asked to stop again, by its id. */
export type StrayMemory = Map<string, { pauseMs: number; nextAt: number }>

const FIRST_STRAY_PAUSE_MS = 60_000
const LONGEST_STRAY_PAUSE_MS = 3_600_000

/** A job that is on its way does this by itself; after so long there is none. */
const FORGOTTEN_MS = 120_000

/** Sessions against their egresses: what LiveKit says of each, or that it knows nothing of it; then egresses of no session. */
export async function reconcileEgresses(
  deps: StartDeps,
  strays: StrayMemory,
): Promise<{ repaired: number; overtaken: number; forgotten: number; strays: number }> {
  const running = await deps.egress.listActive()
  const counts = { repaired: 0, overtaken: 0, forgotten: 0, strays: 0 }
  for (const session of await listUnendedSessions(deps.db)) {
    const { facts, outcome } = await reconcileSession(deps, session, running)
    if (outcome?.outcome === 'moved') {
      const fields = { sessionId: session.id, from: outcome.from, status: outcome.status }
      const kind = isOnItsWay(deps.now(), facts?.changedAt) ? 'overtaken' : 'repaired'
      counts[kind] += 1
      if (kind === 'repaired') deps.log.warn('session repaired', fields)
      else deps.log.info('session moved before its webhook came', fields)
    } else if (await remember(deps, session)) counts.forgotten += 1
  }
  counts.strays = await stopStrays(deps, running, strays)
  return counts
}

async function reconcileSession(
  deps: StartDeps,
  { id, egress_id: egressId }: Session,
  running: EgressFacts[],
): Promise<{ facts?: EgressFacts | undefined; outcome?: EgressOutcome }> {
  const listed = running.find((facts) => (egressId ? facts.egressId === egressId : facts.sessionId === id))
  if (!listed && !egressId) return {}
  // Not listed, it has ended, or it began only after the list was made.
  const facts = listed ?? (await deps.egress.find(egressId ?? ''))
  const outcome = await deps.db
    .transaction()
    .execute((trx) => (facts ? applyEgressFacts(deps, trx, facts) : endSession(deps, trx, id, 'egress_lost')))
  return { facts, outcome }
}

/** A session that waits for a job which is not there (any more) gets it again. */
async function remember(deps: StartDeps, session: Session): Promise<boolean> {
  if (deps.now().getTime() - session.created_at.getTime() < FORGOTTEN_MS) return false
  const starts = session.status === 'starting' && !session.egress_id
  if (!starts && session.status !== 'stopping') return false
  if (await isEnqueued(deps.db, starts ? startKey(session.id) : stopKey(session.id))) return false
  if (starts) await askToStart(deps.db, session.id, 0)
  // LiveKit was asked, or the egress said by itself that it ends: what became of it is looked up first.
  else await enqueueStop(deps.db, session.id, 0, 1)
  return true
}

/** Questions to LiveKit at a time: of each worker that was killed it answers only after some seconds. */
const AT_ONCE = 8

/** Egresses that write under our path for no session that wants them. */
async function stopStrays(deps: StartDeps, running: EgressFacts[], memory: StrayMemory): Promise<number> {
  let stopped = 0
  const queue = running.filter(({ sessionId, state }) => sessionId && state !== 'ending')
  const work = async (): Promise<void> => {
    for (let facts = queue.shift(); facts; facts = queue.shift()) if (await stopStray(deps, facts, memory)) stopped += 1
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  const listed = new Set(running.map(({ egressId }) => egressId))
  for (const egressId of memory.keys()) if (!listed.has(egressId)) memory.delete(egressId)
  return stopped
}

/** True if it is one, and says that it stops. */
async function stopStray(deps: StartDeps, facts: EgressFacts, memory: StrayMemory): Promise<boolean> {
  if (!(await isStray(deps, facts))) return false
  const { egressId, sessionId } = facts
  const now = deps.now().getTime()
  const before = memory.get(egressId)
  if (before && before.nextAt > now) return false
  const answer = await deps.egress.stop(egressId)
  // One whose worker was killed is listed for ever.
  const pauseMs = Math.min(LONGEST_STRAY_PAUSE_MS, before ? before.pauseMs * 2 : FIRST_STRAY_PAUSE_MS)
  memory.set(egressId, { pauseMs, nextAt: now + pauseMs })
  if (answer === 'stopping') deps.log.warn('stray egress stopped', { egressId, sessionId })
  return answer === 'stopping'
}

async function isStray(deps: StartDeps, facts: EgressFacts): Promise<boolean> {
  const session = facts.sessionId === undefined ? undefined : await findSession(deps.db, facts.sessionId)
  if (!session) return true
  const isOurs = session.egress_id === null || session.egress_id === facts.egressId
  return !isOurs || session.status === 'ended' || session.status === 'failed'
}
