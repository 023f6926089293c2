import type { Config } from '../config.ts'
import { freeBytes } from '../disk.ts'
import { AppError } from '../errors.ts'
import { listUnpinnedBuffers, type BufferSize } from './buffer.repo.ts'
import { deleteOldest, type RetentionDeps } from './retention.ts'

/*
 * A disk that runs full. Below `minFreeBytes` no buffer starts and no clip is made, and
 * the oldest unpinned segments of the longest buffers go, until a little more than that is
 * free. Nothing else is needed to recover: what was refused is asked for again.
 */

export interface DiskDeps extends RetentionDeps {
  node: string
  storagePath: string
  config: RetentionDeps['config'] & Pick<Config, 'minFreeBytes'>
}

export interface DiskState {
  isFull: boolean
  bufferFreeBytes: number
  storageFreeBytes: number
  minFreeBytes: number
}

/** So that it is not full again with the next segment. */
const MARGIN = 1.05

/** Some seconds of video at a time. */
const STEP = 5

/** How much is free where segments land and where clips come to rest. */
export async function readDisk(deps: Pick<DiskDeps, 'bufferPath' | 'storagePath' | 'config'>): Promise<DiskState> {
  const { minFreeBytes } = deps.config
  const bufferFreeBytes = await freeBytes(deps.bufferPath)
  const storageFreeBytes = await freeBytes(deps.storagePath)
  const isFull = Math.min(bufferFreeBytes, storageFreeBytes) < minFreeBytes
  return { isFull, bufferFreeBytes, storageFreeBytes, minFreeBytes }
}

/** Throws `storage_full`, with the numbers: a clip needs room where it rests, and holds on to room in the buffer. */
export async function assertFreeSpace(deps: Pick<DiskDeps, 'bufferPath' | 'storagePath' | 'config'>): Promise<void> {
  const { isFull, bufferFreeBytes, storageFreeBytes, minFreeBytes } = await readDisk(deps)
  if (!isFull) return
  const details = { freeBytes: Math.min(bufferFreeBytes, storageFreeBytes), minFreeBytes }
  throw new AppError('storage_full', 'the disk has less space left than is kept free', { details })
}

/** Looks at the disk every few seconds, and tells when it became full and when it has room again. */
export function createDiskWatch(deps: DiskDeps): () => Promise<{ segments: number }> {
  let wasFull = false
  return async () => {
    const state = await readDisk(deps)
    if (state.isFull && !wasFull) deps.log.error('disk full, buffers are cut short and clips refused', { ...state })
    if (!state.isFull && wasFull) deps.log.warn('disk has room again', { ...state })
    wasFull = state.isFull
    return { segments: await makeRoom(deps) }
  }
}

/** Deletes as much as is needed on the buffer's disk, if there is as much that no clip needs. */
async function makeRoom(deps: DiskDeps): Promise<number> {
  const { minFreeBytes } = deps.config
  if ((await freeBytes(deps.bufferPath)) >= minFreeBytes) return 0
  const buffers = await listUnpinnedBuffers(deps.db, deps.node)
  let deleted = 0
  while ((await freeBytes(deps.bufferPath)) < minFreeBytes * MARGIN) {
    const longest = takeLongest(buffers)
    if (!longest) {
      deps.log.error('disk full, and nothing is left that may be deleted', { segments: deleted })
      break
    }
    const gone = await deleteOldest(deps, longest.sessionId, 2 ** 31 - 1, STEP)
    deleted += gone.length
    const left = longest.durationMs - gone.reduce((sum, segment) => sum + segment.duration_ms, 0)
    if (gone.length === STEP) buffers.push({ sessionId: longest.sessionId, durationMs: left })
  }
  return deleted
}

function takeLongest(buffers: BufferSize[]): BufferSize | undefined {
  const longest = buffers.reduce<BufferSize | undefined>(
    (most, buffer) => (most && most.durationMs >= buffer.durationMs ? most : buffer),
    undefined,
  )
  if (longest) buffers.splice(buffers.indexOf(longest), 1)
  return longest
}
