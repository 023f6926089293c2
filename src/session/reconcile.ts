import { AppError } from '../errors.ts'
import { errorFields } from '../log.ts'
import { reconcileEgresses, type StrayMemory } from './reconcile-egresses.ts'
import { reconcileShares } from './reconcile-shares.ts'
import type { StartDeps } from './start-egress.ts'

/*
 * Webhooks are hints. Once a minute LiveKit itself is asked what is so, and what was
 * missed is done by the functions that a webhook would have called. Repeating it
 * changes nothing, and so does a LiveKit that does not answer.
 */

export type Reconcile = () => Promise<Record<string, number>>

/** Shares first: what ended because its share went is then not taken for a failure. */
export function createReconcile(deps: StartDeps): Reconcile {
  const strays: StrayMemory = new Map()
  let isAway = false
  return async () => {
    try {
      const counts = { ...(await reconcileShares(deps)), ...(await reconcileEgresses(deps, strays)) }
      if (isAway) deps.log.info('LiveKit answers again')
      isAway = false
      return counts
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'livekit_unavailable')) throw error
      // Said once: it is one outage, however long it lasts.
      if (!isAway) deps.log.warn('LiveKit does not answer, sessions go on as they are', errorFields(error))
      isAway = true
      return {}
    }
  }
}
