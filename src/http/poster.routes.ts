import { createHash } from 'node:crypto'
import { Router, type Request, type Response } from 'express'
import { clipPoster, type PosterDeps } from '../capture/clip-poster.ts'
import { sessionPoster, type SessionPosterDeps } from '../capture/session-poster.ts'
import { AppError } from '../errors.ts'
import { requireClip } from './clips.routes.ts'
import { assertMayPlayClip, assertMaySeeBuffer, type MediaAccessDeps } from './media-access.ts'
import { inMemory, serveBytes } from './serve-bytes.ts'
import { requireSession } from './sessions.routes.ts'

export interface PosterRoutesDeps extends PosterDeps, SessionPosterDeps, MediaAccessDeps {}

/** Pictures: of a clip at its in-point, and of what a session shows now. */
export function posterRoutes(deps: PosterRoutesDeps): Router {
  const router = Router()

  router.get('/clips/:id/poster.jpg', async (req, res) => {
    const clip = await requireClip(deps.db, req.params.id)
    await assertMayPlayClip(deps, req, clip)
    const still = await clipPoster(deps, clip)
    if (!still) throw new AppError('not_found', 'nothing of this clip has landed')
    await serveStill(req, res, still, clip.status === 'ready' ? 'private, max-age=86400' : 'no-store')
  })

  router.get('/sessions/:id/poster.jpg', async (req, res) => {
    const session = await requireSession(deps.db, req.params.id)
    await assertMaySeeBuffer(deps, req, session)
    const still = await sessionPoster(deps, session.id)
    if (!still) throw new AppError('not_found', 'nothing of this session is kept')
    await serveStill(req, res, still, 'private, max-age=5')
  })

  return router
}

async function serveStill(req: Request, res: Response, still: Buffer, cacheControl: string): Promise<void> {
  await serveBytes(req, res, {
    size: still.length,
    etag: `"${createHash('sha256').update(still).digest('base64url').slice(0, 22)}"`,
    type: 'image/jpeg',
    disposition: 'inline',
    cacheControl,
    read: inMemory(still),
  })
}
