import { link, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { v7 as uuidv7 } from 'uuid'
import {
  deletePins,
  findClip,
  findTwinFile,
  lockClip,
  recordFile,
  setClip,
  type ClipWithFile,
} from '../clip/clip.repo.ts'
import { clipPath } from '../clip/clip-path.ts'
import { changeReserved, changeUsed } from '../clip/quota.ts'
import type { Now } from '../clock.ts'
import type { Attempt } from '../job/runner.ts'
import { errorFields, type Log } from '../log.ts'
import type { Written } from '../media/write-virtual-file.ts'
import { loadClipMedia, storedPath, type ClipMediaCache, type MediaDeps } from './clip-media.ts'
import type { ClipWriter } from './clip-writer.ts'

export interface StoreDeps extends MediaDeps {
  now: Now
  log: Log
  storagePath: string
  mediaCache: ClipMediaCache
  clipWriter: Pick<ClipWriter, 'write'>
}

/**
 * The job `store_clip`: writes the bytes that are being served to where they stay,
 * proves the file, and lets the pins go. A failure leaves nothing; a kill at any point
 * leaves a temporary file that the next try overwrites, or a file whose row the next try
 * writes. After the last try the clip says so; it is served from its segments all the same.
 */
export async function storeClip(deps: StoreDeps, { clipId }: { clipId: string }, attempt: Attempt): Promise<string> {
  const clip = await findClip(deps.db, clipId)
  if (clip?.status !== 'ready' || clip.file_id) return 'not_needed'
  const path = clipPath(clip)
  try {
    const written = (await linkTwin(deps, clip, path)) ?? (await writeClipFile(deps, clip, path))
    return await settle(deps, clip, path, written)
  } catch (error) {
    if (attempt.last) await sayItFailed(deps, clipId)
    throw error
  }
}

/** The same moment captured twice is written once: the second clip's file is another name of the first one's. */
async function linkTwin(deps: StoreDeps, clip: ClipWithFile, path: string): Promise<Written | undefined> {
  const twin = clip.content_key === null ? undefined : await findTwinFile(deps.db, clip.content_key)
  if (!twin) return undefined
  const destination = storedPath(deps.storagePath, path)
  try {
    await mkdir(dirname(destination), { recursive: true })
    await rm(destination, { force: true })
    await link(storedPath(deps.storagePath, twin.path), destination)
    await syncDirectory(dirname(destination))
    return { bytes: twin.size_bytes, sha256: twin.sha256 }
  } catch (error) {
    // Deleted meanwhile, or a file system without links: it is written instead.
    deps.log.debug('clip not linked to its twin', { clipId: clip.id, ...errorFields(error) })
    return undefined
  }
}

async function writeClipFile(deps: StoreDeps, clip: ClipWithFile, path: string): Promise<Written> {
  const destination = storedPath(deps.storagePath, path)
  const { mp4 } = await loadClipMedia(deps, deps.mediaCache, clip)
  await mkdir(dirname(destination), { recursive: true })
  const temporary = `${destination}.tmp`
  try {
    const written = await deps.clipWriter.write(mp4, temporary, deps.bufferPath)
    await rename(temporary, destination)
    await syncDirectory(dirname(destination))
    return written
  } catch (error) {
    // It may be what fills the disk, and the next try is a while off.
    await rm(temporary, { force: true })
    throw error
  }
}

async function settle(deps: StoreDeps, clip: ClipWithFile, path: string, written: Written): Promise<string> {
  const stored = await deps.db.transaction().execute(async (trx) => {
    const locked = await lockClip(trx, clip.id)
    if (!locked) return false
    const fileId = uuidv7()
    const file = { id: fileId, path, size_bytes: written.bytes, sha256: written.sha256 }
    await recordFile(trx, { ...file, mime_type: 'video/mp4', created_at: deps.now() })
    await changeReserved(trx, clip.user_id, -locked.reserved_bytes)
    await changeUsed(trx, clip.user_id, written.bytes)
    await deletePins(trx, clip.id)
    await setClip(trx, clip.id, { file_id: fileId, reserved_bytes: 0, error: null })
    return true
  })
  if (!stored) await rm(storedPath(deps.storagePath, path), { force: true })
  const fields = { clipId: clip.id, sizeBytes: written.bytes }
  deps.log.info(stored ? 'clip stored' : 'clip deleted while it was stored', fields)
  return stored ? 'stored' : 'deleted'
}

async function sayItFailed(deps: StoreDeps, clipId: string): Promise<void> {
  const error = 'the file could not be written; the clip is served from its segments'
  await deps.db.transaction().execute((trx) => setClip(trx, clipId, { error }))
}

/** A rename is on the disk once its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
