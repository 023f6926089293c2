import { join } from 'node:path'
import type { ClipWithFile } from '../clip/clip.repo.ts'
import type { Db } from '../db/connect.ts'
import type { ClipSpan } from '../db/schema.ts'
import { cutClip, type ClipCut } from '../media/clip-cut.ts'
import type { Span } from '../media/cut-video.ts'
import { buildMp4, type Mp4File } from '../media/mp4-file.ts'
import { placeSegments } from '../media/timeline.ts'
import { listPinnedSegments } from './load-timeline.ts'
import { createRecent, type Recent } from './recent.ts'

/** A clip's MP4 before it is a file: every byte known, none copied. */
export interface ClipMedia {
  cut: ClipCut
  mp4: Mp4File
}

export interface MediaDeps {
  db: Db
  bufferPath: string
}

export type CachedClip = Pick<ClipWithFile, 'id' | 'spans' | 'content_key' | 'size_bytes'>

/** An index of half a megabyte is made once for all the requests that a player sends. */
const CACHE_SIZE = 8

export type ClipMediaCache = Recent<ClipMedia>

export const createClipMediaCache = (): ClipMediaCache => createRecent(CACHE_SIZE)

/**
 * The media of a clip that is not at rest yet, made from its pins: what has landed so
 * far, if it waits. The same content always gives the same bytes.
 */
export async function loadClipMedia(deps: MediaDeps, cache: ClipMediaCache, clip: CachedClip): Promise<ClipMedia> {
  const media = await cache(clip.content_key ?? clip.id, () => makeClipMedia(deps, clip))
  if (clip.size_bytes !== null && media.mp4.size !== clip.size_bytes)
    throw new Error(`clip ${clip.id} would have ${media.mp4.size} bytes instead of ${clip.size_bytes}`)
  return media
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

/** Where a file at rest is. Its path is made of ids only, and comes from a table that checks it. */
export const storedPath = (storagePath: string, path: string) => join(storagePath, path)
