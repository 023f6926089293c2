import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from '../db/connect.ts'
import type { ClipSpan } from '../db/schema.ts'
import { cutClip, type ClipCut } from '../media/clip-cut.ts'
import type { Span } from '../media/cut-video.ts'
import { buildMp4, type Mp4File } from '../media/mp4-file.ts'
import { placeSegments } from '../media/timeline.ts'
import { bufferPathOf } from '../segment/buffer-path.ts'
import { listPinnedSegments } from './load-timeline.ts'

/** A clip's MP4 before it is a file: every byte known, none copied. */
export interface ClipMedia {
  cut: ClipCut
  mp4: Mp4File
}

export interface MediaDeps {
  db: Db
  bufferPath: string
}

/** An index of half a megabyte is made once for all the requests that a player sends. */
const CACHE_SIZE = 32

export type ClipMediaCache = Map<string, Promise<ClipMedia>>

export const createClipMediaCache = (): ClipMediaCache => new Map()

/** The media of a ready clip that is not at rest yet, made from its pins. The same clip always gives the same bytes. */
export function loadClipMedia(
  deps: MediaDeps,
  cache: ClipMediaCache,
  clip: { id: string; spans: ClipSpan[] },
): Promise<ClipMedia> {
  const made = cache.get(clip.id) ?? makeClipMedia(deps, clip)
  cache.delete(clip.id)
  cache.set(clip.id, made)
  made.catch(() => cache.delete(clip.id))
  for (const id of cache.keys()) if (cache.size > CACHE_SIZE) cache.delete(id)
  return made
}

async function makeClipMedia({ db }: MediaDeps, clip: { id: string; spans: ClipSpan[] }): Promise<ClipMedia> {
  const placed = new Map<string, Span['segments']>()
  for (const sessionId of new Set(clip.spans.map((span) => span.sessionId)))
    placed.set(sessionId, placeSegments(await listPinnedSegments(db, clip.id, sessionId)))
  const spans = clip.spans.map(({ sessionId, fromTicks, toTicks }) => ({
    fromTicks,
    toTicks,
    segments: placed.get(sessionId) ?? [],
  }))
  const cut = cutClip(spans)
  return { cut, mp4: buildMp4(cut) }
}

/** Opens sample files by their key, `<session id>/<file name>`. */
export function openSampleIn(bufferPath: string): (key: string) => Promise<FileHandle> {
  return async (key) => {
    const [sessionId = '', fileName = ''] = key.split('/')
    return open(bufferPathOf(bufferPath, sessionId, fileName), 'r')
  }
}

/** Where a file at rest is. Its path is made of ids only, and comes from a table that checks it. */
export const storedPath = (storagePath: string, path: string) => join(storagePath, path)
