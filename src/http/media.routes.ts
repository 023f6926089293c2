import { create as contentDisposition } from 'content-disposition'
import { Router, type Request, type Response } from 'express'
import { z } from 'zod'
import { clipPlaylist } from '../capture/clip-playlist.ts'
import { openBytes, openClip, type OpenDeps } from '../capture/open-clip.ts'
import type { ClipWithFile } from '../clip/clip.repo.ts'
import { AppError } from '../errors.ts'
import { initSegment } from '../media/fragmented-mp4.ts'
import { requireClip } from './clips.routes.ts'
import { assertMayPlayClip, type MediaAccessDeps } from './media-access.ts'
import { inMemory, serveBytes, type Served } from './serve-bytes.ts'

export interface MediaRoutesDeps extends OpenDeps, MediaAccessDeps {}

export const downloadQuery = z.object({
  download: z.enum(['0', '1'], '0 or 1').optional().describe('1: to be saved, and not shown'),
})

/** What a player asks for: allowed by the signature in the link, or by the caller's own token. */
export function mediaRoutes(deps: MediaRoutesDeps): Router {
  const router = Router()
  const playable = async (req: Request, id: string) => {
    const clip = await requireClip(deps.db, id)
    await assertMayPlayClip(deps, req, clip)
    if (clip.status === 'failed') throw new AppError('not_found', clip.error ?? 'this clip failed')
    return clip
  }

  router.get('/clips/:id/file.mp4', async (req, res) => {
    await serveBytes(req, res, await serveFile(deps, req, await playable(req, req.params.id)))
  })

  router.get('/clips/:id/playlist.m3u8', async (req, res) => {
    await servePlaylist(deps, req, res, await playable(req, req.params.id))
  })

  router.get('/clips/:id/init.mp4', async (req, res) => {
    const clip = await playable(req, req.params.id)
    const { tracks } = await openClip(deps, clip)
    const bytes = initSegment(tracks.video, tracks.audio?.config ?? null)
    await serveBytes(req, res, {
      ...partOf(clip, 'init', bytes.length),
      read: inMemory(bytes),
    })
  })

  router.get('/clips/:id/fragment-:number.m4s', async (req, res) => {
    const clip = await playable(req, req.params.id)
    const { hls, mediaStart, read } = await openClip(deps, clip)
    const number = /^\d{1,6}$/.test(req.params.number) ? Number(req.params.number) : -1
    const fragment = hls.fragment(number)
    if (!fragment) throw new AppError('not_found', 'there is no such fragment')
    const { head, offset, length } = fragment
    const from = mediaStart + offset
    await serveBytes(req, res, {
      ...partOf(clip, `fragment-${number}`, head.length + length),
      async *read(start, end, buffers) {
        if (start < head.length) yield head.subarray(start, end)
        if (end > head.length) yield* read(from + Math.max(0, start - head.length), from + end - head.length, buffers)
      },
    })
  })
  return router
}

/** The same bytes, name and ETag whether they are a file yet or not. */
async function serveFile(deps: MediaRoutesDeps, req: Request, clip: ClipWithFile): Promise<Served> {
  if (clip.size_bytes === null) throw new AppError('not_found', 'this clip waits for its last segment')
  const type = downloadQuery.parse(req.query).download === '1' ? 'attachment' : 'inline'
  return {
    size: clip.size_bytes,
    etag: `"${clip.id}-${clip.size_bytes.toString(36)}"`,
    type: 'video/mp4',
    disposition: contentDisposition(fileName(clip), { type }),
    read: await openBytes(deps, clip),
  }
}

async function servePlaylist(deps: MediaRoutesDeps, req: Request, res: Response, clip: ClipWithFile): Promise<void> {
  const isGrowing = clip.status === 'waiting'
  const { durations, startOffsetSeconds } =
    clip.spans.length === 0 ? { durations: [], startOffsetSeconds: 0 } : (await openClip(deps, clip)).hls
  const { token } = req.query
  const query = typeof token === 'string' ? `?token=${encodeURIComponent(token)}` : ''
  const text = clipPlaylist({
    // The newest fragment of a growing clip has not all of its sound yet.
    durations: isGrowing ? durations.slice(0, -1) : durations,
    startOffsetSeconds,
    coverage: clip.coverage,
    isGrowing,
    linkOf: (name) => `${name}${query}`,
  })
  res
    .set('Cache-Control', isGrowing ? 'no-store' : 'private, max-age=300')
    .type('application/vnd.apple.mpegurl')
    .send(text)
}

/** Parts of a clip that grows have their final bytes from the first time they are named. */
function partOf(clip: ClipWithFile, name: string, size: number) {
  const etag = `"${clip.id}-${name}-${size.toString(36)}"`
  return { size, etag, type: 'video/mp4', disposition: 'inline' }
}

/** `alice 2026-11-22 17.02.mp4`, or the clip's title: a name that sorts, and that every system takes. */
function fileName(clip: ClipWithFile): string {
  const minute = clip.from_at.toISOString().slice(0, 16).replace('T', ' ').replace(':', '.')
  const name = clip.title ?? `${clip.user_id} ${minute}`
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  const clean = name.toWellFormed().replace(/[\u0000-\u001f\u007f/\\:*?"<>|]/g, '_')
  return `${Array.from(clean).slice(0, 120).join('')}.mp4`
}
