import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { create as contentDisposition } from 'content-disposition'
import { Router, type Request } from 'express'
import { loadClipMedia, openSampleIn, storedPath, type ClipMediaCache, type MediaDeps } from '../capture/clip-media.ts'
import type { ClipWithFile } from '../clip/clip.repo.ts'
import { AppError } from '../errors.ts'
import type { VerifyToken } from '../livekit/access-token.ts'
import { readRange } from '../media/virtual-file.ts'
import { assertOwnsClip, bearerToken } from './access.ts'
import { requireClip } from './clips.routes.ts'
import type { MediaTokens } from './media-token.ts'
import { serveBytes, type Served } from './serve-bytes.ts'

export interface MediaRoutesDeps extends MediaDeps {
  storagePath: string
  mediaCache: ClipMediaCache
  tokens: MediaTokens
  verifyToken: VerifyToken
}

/** What a player asks for: allowed by the signature in the link, or by the caller's own token. */
export function mediaRoutes(deps: MediaRoutesDeps): Router {
  const router = Router()
  router.get('/clips/:id/file.mp4', async (req, res) => {
    const clip = await requireClip(deps.db, req.params.id)
    await assertMayPlay(deps, req, clip)
    await serveBytes(req, res, await serveClip(deps, req, clip))
  })
  return router
}

async function assertMayPlay(deps: MediaRoutesDeps, req: Request, clip: ClipWithFile): Promise<void> {
  const { token } = req.query
  if (typeof token === 'string') {
    if (deps.tokens.verify(`clip:${clip.id}`, token)) return
    throw new AppError('unauthorized', 'token: this link has expired or is for something else')
  }
  const bearer = bearerToken(req)
  if (bearer === undefined)
    throw new AppError('unauthorized', 'a link with its token, or an Authorization header, is needed')
  assertOwnsClip(await deps.verifyToken(bearer), clip)
}

/** The same bytes, name and ETag whether they are a file yet or not. */
async function serveClip(deps: MediaRoutesDeps, req: Request, clip: ClipWithFile): Promise<Served> {
  if (clip.status === 'failed') throw new AppError('not_found', clip.error ?? 'this clip failed')
  if (clip.size_bytes === null) throw new AppError('not_found', 'this clip waits for its last segment')
  const type = req.query['download'] === '1' ? 'attachment' : 'inline'
  const common = {
    size: clip.size_bytes,
    etag: `"${clip.id}-${clip.size_bytes.toString(36)}"`,
    type: 'video/mp4',
    disposition: contentDisposition(fileName(clip), { type }),
  }
  if (clip.file_path) {
    const path = storedPath(deps.storagePath, clip.file_path)
    return { ...common, read: (start, end) => createReadStream(path, { start, end: Math.max(start, end - 1) }) }
  }
  const { mp4 } = await loadClipMedia(deps, deps.mediaCache, clip)
  const openSample = openSampleIn(deps.bufferPath)
  return { ...common, read: (start, end) => Readable.from(readRange(mp4, start, end, openSample)) }
}

/** `alice 2026-11-22 17.02.mp4`, or the clip's title: a name that sorts, and that every system takes. */
function fileName(clip: ClipWithFile): string {
  const minute = clip.from_at.toISOString().slice(0, 16).replace('T', ' ').replace(':', '.')
  const name = clip.title ?? `${clip.user_id} ${minute}`
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  return `${name.replace(/[\u0000-\u001f\u007f/\\:*?"<>|]/g, '_').slice(0, 120)}.mp4`
}
