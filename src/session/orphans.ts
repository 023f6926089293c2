import type { Config } from '../config.ts'
import { askToStop } from './create-session.ts'
import { lockSessionOf } from './lifecycle.ts'
import { observeUser } from './observe.ts'
import { listUnendedSessions } from './session.repo.ts'
import { deleteSharesGoneBefore } from './share.repo.ts'
import type { StartDeps } from './start-egress.ts'

export interface OrphanDeps extends StartDeps {
  config: StartDeps['config'] & Pick<Config, 'maxSessionMs'>
}

/** How long it is remembered what webhooks told. LiveKit sends nothing that is older than 30 s. */
const RECORD_MS = 7 * 24 * 3_600_000

/**
 * The hourly look: sessions that are very old are stopped, but only if LiveKit does not
 * know their share any more; and the record of webhooks and shares is kept short.
 */
export async function sweepOrphans(deps: OrphanDeps): Promise<{ tooOld: number; events: number; shares: number }> {
  const before = new Date(deps.now().getTime() - RECORD_MS)
  const shares = await deleteSharesGoneBefore(deps.db, before)
  const { numDeletedRows } = await deps.db
    .deleteFrom('webhook_events')
    .where('received_at', '<', before)
    .executeTakeFirstOrThrow()
  return { tooOld: await stopTooOld(deps), events: Number(numDeletedRows), shares }
}

async function stopTooOld(deps: OrphanDeps): Promise<number> {
  let stopped = 0
  const tooOld = deps.now().getTime() - deps.config.maxSessionMs
  for (const { id, room, user_id: userId, status, created_at: createdAt } of await listUnendedSessions(deps.db)) {
    if (status !== 'active' || createdAt.getTime() > tooOld) continue
    const askedAt = deps.now()
    const participant = await deps.rooms.findParticipant(room, userId)
    if (participant?.screenShare) continue
    const isStopped = await deps.db.transaction().execute(async (trx) => {
      await observeUser(deps, trx, { room, userId, participant, askedAt })
      const session = await lockSessionOf(trx, { sessionId: id })
      if (session?.status !== 'active') return false
      await askToStop(trx, session, 'limit')
      return true
    })
    if (!isStopped) continue
    stopped += 1
    deps.log.warn('session over its longest time stopped, its share is gone', { sessionId: id, room })
  }
  return stopped
}
