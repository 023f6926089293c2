import type { Config } from '../config.ts'
import type { Trx } from '../db/connect.ts'
import { countLiveSessions } from './session.repo.ts'
import { lockCommunity } from './share.repo.ts'

export interface CapacityDeps {
  config: Pick<Config, 'communityMaxSessions' | 'minFreeBytes'>
  /** Where buffers are written. */
  freeBufferBytes: () => Promise<number>
}

export interface Refusal {
  reason: 'limit' | 'disk'
  error: string
}

/**
 * Why no new buffer may start for this community, or undefined if one may. The
 * community stays locked until the transaction ends, so no two take its last place.
 */
export async function findRefusal(
  deps: CapacityDeps,
  trx: Trx,
  communityId: string | null,
  sessionId?: string,
): Promise<Refusal | undefined> {
  const { minFreeBytes, communityMaxSessions } = deps.config
  if ((await deps.freeBufferBytes()) < minFreeBytes)
    return { reason: 'disk', error: 'the disk has less space left than is kept free' }
  if (communityId === null) return undefined
  await lockCommunity(trx, communityId)
  if ((await countLiveSessions(trx, communityId, sessionId)) < communityMaxSessions) return undefined
  return { reason: 'limit', error: `the community has its ${communityMaxSessions} live buffers` }
}
