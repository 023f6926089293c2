import { open } from 'node:fs/promises'
import { findClip, type ClipWithFile } from '../clip/clip.repo.ts'
import { clipFragments, type ClipFragments } from '../media/fragmented-mp4.ts'
import type { Mp4File } from '../media/mp4-file.ts'
import type { Tracks } from '../media/tracks.ts'
import type { Buffers } from '../media/pump.ts'
import { MissingSample, readFileRange, readRange } from '../media/virtual-file.ts'
import { loadClipMedia, storedPath, type ClipMediaCache, type MediaDeps } from './clip-media.ts'
import { readIndex } from './prove-clip-file.ts'
import { createRecent, type Recent } from './recent.ts'
import { openSampleIn } from './sample-files.ts'

/** A clip's index, as a player needs it. */
interface OpenIndex {
  tracks: Tracks
  /** Where the media begins in the file, after its index. */
  mediaStart: number
  hls: ClipFragments
}

export type OpenIndexCache = Recent<OpenIndex>

const CACHE_SIZE = 8

export const createOpenIndexCache = (): OpenIndexCache => createRecent(CACHE_SIZE)

export interface OpenDeps extends MediaDeps {
  storagePath: string
  mediaCache: ClipMediaCache
  openCache: OpenIndexCache
}

/** A clip's bytes, wherever they are: the same before and after it has come to rest. */
export interface OpenClip extends OpenIndex {
  /** The bytes `[start, end)`, read into `buffers`: by default each block is the consumer's own. */
  read: (start: number, end: number, buffers?: Buffers) => AsyncIterable<Buffer>
}

/** For a player's or a downloader's request. A waiting clip opens as far as it has landed. */
export async function openClip(deps: OpenDeps, clip: ClipWithFile): Promise<OpenClip> {
  const index = await deps.openCache(clip.content_key ?? clip.id, () => loadIndex(deps, clip))
  return { ...index, read: await openBytes(deps, clip) }
}

async function loadIndex(deps: OpenDeps, clip: ClipWithFile): Promise<OpenIndex> {
  if (clip.file_path !== null) return readStoredIndex(storedPath(deps.storagePath, clip.file_path))
  const { cut, mp4 } = await loadClipMedia(deps, deps.mediaCache, clip)
  return { tracks: cut, mediaStart: mp4.head.length, hls: clipFragments(cut) }
}

/** A file that has lost its segments tells by itself what is in it. */
async function readStoredIndex(path: string): Promise<OpenIndex> {
  const file = await open(path, 'r')
  try {
    const tracks = await readIndex(file)
    return { tracks, mediaStart: tracks.mediaStart, hls: clipFragments(tracks) }
  } finally {
    await file.close()
  }
}

/** How to read `[start, end)` of a clip's file, be it there or still in its segments. */
export async function openBytes(deps: OpenDeps, clip: ClipWithFile): Promise<OpenClip['read']> {
  if (clip.file_path !== null) {
    const path = storedPath(deps.storagePath, clip.file_path)
    return (start, end, buffers) => readFileRange(path, start, end, buffers)
  }
  const { mp4 } = await loadClipMedia(deps, deps.mediaCache, clip)
  return (start, end, buffers) => readVirtual(deps, clip, mp4, start, end, buffers)
}

/** A clip can come to rest, and its segments go, while somebody downloads it: then the rest is read from its file. */
async function* readVirtual(
  deps: OpenDeps,
  clip: ClipWithFile,
  mp4: Mp4File,
  start: number,
  end: number,
  buffers?: Buffers,
): AsyncGenerator<Buffer> {
  let at = start
  try {
    for await (const block of readRange(mp4, start, end, openSampleIn(deps.bufferPath), buffers)) {
      at += block.length
      yield block
    }
  } catch (error) {
    const stored = error instanceof MissingSample ? await findClip(deps.db, clip.id) : undefined
    if (!stored?.file_path) throw error
    yield* readFileRange(storedPath(deps.storagePath, stored.file_path), at, end, buffers)
  }
}
