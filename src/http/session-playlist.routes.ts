import { Router, type Request, type Response } from 'express'
import type { Config } from '../config.ts'
import type { Now } from '../clock.ts'
import type { Session } from '../db/schema.ts'
import { AppError } from '../errors.ts'
import { listBuffer, openInit, openSegment, type LiveBufferDeps, type LiveFile } from '../segment/live-buffer.ts'
import { livePlaylist } from '../segment/live-playlist.ts'
import { listShareSpans } from '../session/session.repo.ts'
import { assertMaySeeBuffer, type MediaAccessDeps } from './media-access.ts'
import { serveBytes } from './serve-bytes.ts'
import { requireSession } from './sessions.routes.ts'

export interface SessionPlaylistDeps extends LiveBufferDeps, MediaAccessDeps {
  now: Now
  config: Pick<Config, 'segmentDurationSeconds'>
}

/** The last segments are in the index some seconds after the end, a scan later at the latest. */
const SETTLING_MS = 15_000

/** A buffer to watch, while it grows and until it is purged. */
export function sessionPlaylistRoutes(deps: SessionPlaylistDeps): Router {
  const router = Router()
  const seen = async (req: Request, id: string) => {
    const session = await requireSession(deps.db, id)
    await assertMaySeeBuffer(deps, req, session)
    if (session.purged_at) throw new AppError('not_found', 'this buffer is gone')
    return session
  }

  router.get('/sessions/:id/playlist.m3u8', async (req, res) => {
    const session = await seen(req, req.params.id)
    const text = await playlistOf(deps, req, session)
    if (text === undefined) throw new AppError('not_found', 'nothing of this session is kept yet')
    res.set('Cache-Control', 'no-store').type('application/vnd.apple.mpegurl').send(text)
  })

  router.get('/sessions/:id/init-:config.mp4', async (req, res) => {
    const { id, config } = req.params
    const session = await seen(req, id)
    await serve(req, res, `${session.id}-${config}`, await openInit(deps, session.id, config))
  })

  router.get('/sessions/:id/segment-:sequence.m4s', async (req, res) => {
    const { id, sequence } = req.params
    const session = await seen(req, id)
    const number = /^\d{1,9}$/.test(sequence) ? Number(sequence) : -1
    await serve(req, res, `${session.id}-${number}`, await openSegment(deps, session, number))
  })
  return router
}

async function playlistOf(deps: SessionPlaylistDeps, req: Request, session: Session): Promise<string | undefined> {
  if (!session.clock_origin) return undefined
  const originMs = session.clock_origin.getTime()
  const shares = await listShareSpans(deps.db, session.id)
  return livePlaylist({
    ...(await listBuffer(deps, session.id)),
    shared: shares.map((span) => ({
      fromMs: span.shared_from.getTime() - originMs,
      toMs: (span.shared_to?.getTime() ?? Infinity) - originMs,
    })),
    originMs,
    segmentSeconds: deps.config.segmentDurationSeconds,
    isEnded: session.ended_at !== null && deps.now().getTime() - session.ended_at.getTime() > SETTLING_MS,
    linkOf: linksLike(deps, req, session),
  })
}

/** Who came by a link goes on by links. They are signed afresh: a viewer may stay for longer than one lasts. */
function linksLike(deps: SessionPlaylistDeps, req: Request, session: Session): (name: string) => string {
  if (typeof req.query['token'] !== 'string') return (name) => name
  const token = deps.tokens.sign(`session:${session.id}`)
  return (name) => `${name}?token=${token}`
}

async function serve(req: Request, res: Response, name: string, file: LiveFile | undefined): Promise<void> {
  if (!file) throw new AppError('not_found', 'there is no such segment (any more)')
  const etag = `"${name}-${file.size.toString(36)}"`
  await serveBytes(req, res, { size: file.size, etag, type: 'video/mp4', disposition: 'inline', read: file.read })
}
