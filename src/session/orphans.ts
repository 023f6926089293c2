import type { Config } from '../config.ts'
import { endSession } from './lifecycle.ts'
import { listUnendedSessions } from './session.repo.ts'
import { askToStop } from './share.ts'
import type { StartDeps } from './start-egress.ts'

export interface OrphanDeps extends StartDeps {
  config: StartDeps['config'] & Pick<Config, 'maxSessionMs'>
}

/** A start is retried for as long as its share lives; one that has had no egress for this long is given up. */
const START_LIMIT_MS = 15 * 60_000

const WEBHOOK_RECORD_MS = 7 * 24 * 3_600_000

/**
 * The hourly look for what nothing else finds: sessions that never got an egress, old
 * ones whose share LiveKit no longer knows, and the record of webhooks that is too old.
 */
export async function sweepOrphans(
  deps: OrphanDeps,
): Promise<{ neverStarted: number; tooOld: number; events: number }> {
  const counts = { neverStarted: 0, tooOld: 0, events: 0 }
  const now = deps.now().getTime()
  for (const session of await listUnendedSessions(deps.db)) {
    const age = now - session.created_at.getTime()
    if (!session.egress_id && age > START_LIMIT_MS) {
      await deps.db.transaction().execute((trx) => endSession(deps, trx, session.id, 'egress_lost'))
      counts.neverStarted += 1
    } else if (session.status === 'active' && age > deps.config.maxSessionMs) {
      const participant = await deps.rooms.findParticipant(session.room, session.user_id)
      if (participant?.screenShare) continue
      await deps.db.transaction().execute((trx) => askToStop(deps, trx, session, 'limit'))
      counts.tooOld += 1
    }
  }
  const before = new Date(now - WEBHOOK_RECORD_MS)
  const { numDeletedRows } = await deps.db
    .deleteFrom('webhook_events')
    .where('received_at', '<', before)
    .executeTakeFirstOrThrow()
  return { ...counts, events: Number(numDeletedRows) }
}
