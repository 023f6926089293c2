import type { Config } from '../config.ts'
import type { Session } from '../db/schema.ts'
import { AppError } from '../errors.ts'
import type { EgressApi } from '../livekit/egress.ts'
import type { RoomApi } from '../livekit/room-service.ts'
import type { Log } from '../log.ts'
import type { LifecycleDeps } from './create-session.ts'
import { applyEgressFacts, endSession, enqueueStrayStop } from './lifecycle.ts'
import { observeUser } from './observe.ts'
import { findSession, listSilentSessions } from './session.repo.ts'

/*
 * A worker that is killed says nothing, and LiveKit takes its egress to be running for
 * ever (contract section 7). That nothing lands any more is all there is to see of it.
 */

export interface SilenceDeps extends LifecycleDeps {
  log: Log
  egress: EgressApi
  rooms: RoomApi
  config: LifecycleDeps['config'] & Pick<Config, 'segmentDurationSeconds'>
  /** Whose disk this instance sees. */
  node: string
  /** Indexes everything that has landed: the watcher is a hint, the scan is the truth. */
  lookAgain: () => Promise<unknown>
}

/** The first packet takes 1.7 s; an egress that has none after this long was killed, or its share sends nothing. */
const START_LIMIT_MS = 60_000

/** Another instance, which may be restarting, is given this much longer to see its segments land. */
const ELSEWHERE_MS = 120_000

/** Ends sessions whose egress is dead, and lets their shares have another. */
export async function endSilentSessions(deps: SilenceDeps): Promise<{ lost: number }> {
  if ((await listSilent(deps)).length === 0) return { lost: 0 }
  await deps.lookAgain()
  let lost = 0
  for (const session of await listSilent(deps)) if (await isLost(deps, session)) lost += 1
  return { lost }
}

async function listSilent(deps: SilenceDeps): Promise<Session[]> {
  const now = deps.now().getTime()
  const limitMs = 5 * deps.config.segmentDurationSeconds * 1000 + 10_000
  return listSilentSessions(deps.db, {
    node: deps.node,
    landedBefore: new Date(now - limitMs),
    landedElsewhereBefore: new Date(now - limitMs - ELSEWHERE_MS),
    sentBefore: new Date(now - START_LIMIT_MS),
  })
}

async function isLost(deps: SilenceDeps, session: Session): Promise<boolean> {
  try {
    return await check(deps, session)
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'livekit_unavailable')) throw error
    // Not to be known now: it is silent still at the next look.
    deps.log.debug('silent session not checked, LiveKit is away', { sessionId: session.id })
    return false
  }
}

/** LiveKit is asked whether the share lives, and whether the egress ended and only the word of it was lost. */
async function check(deps: SilenceDeps, { id, room, user_id: userId, egress_id }: Session): Promise<boolean> {
  const egressId = egress_id ?? ''
  const facts = await deps.egress.find(egressId)
  const askedAt = deps.now()
  const participant = await deps.rooms.findParticipant(room, userId)
  const lost = await deps.db.transaction().execute(async (trx) => {
    await observeUser(deps, trx, { room, userId, participant, askedAt })
    if (facts && (await applyEgressFacts(deps, trx, facts)).outcome === 'moved') return false
    const session = await findSession(trx, id)
    if (!session || session.share_ended_at || !['starting', 'active'].includes(session.status)) return false
    await endSession(deps, trx, id, 'egress_lost')
    await enqueueStrayStop(trx, id, egressId)
    return true
  })
  if (lost) deps.log.warn('egress went silent', { sessionId: id, egressId, room, user: userId })
  return lost
}
