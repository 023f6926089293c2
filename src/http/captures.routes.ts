import { createHash } from 'node:crypto'
import { Router, type Request, type Response } from 'express'
import { z } from 'zod'
import { finishClip } from '../capture/finish-clip.ts'
import { captureClip, type CaptureDeps, type CaptureRequest } from '../capture/capture-clip.ts'
import { findSharedSession, listSessionsOfUser } from '../capture/load-timeline.ts'
import type { ClipWithFile } from '../clip/clip.repo.ts'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import { actingUser, assertActsFor, callerOf } from './access.ts'
import { awaitClip, type AwaitDeps } from './await-clip.ts'
import { captureBody, readPrefer, roomCaptureBody, wantedRange } from './capture-body.ts'
import { createCaptureLimit, type CaptureLimit } from './capture-limit.ts'
import type { Presenter } from './present.ts'
import { requireSessionBy } from './sessions.routes.ts'

export interface CaptureRoutesDeps extends CaptureDeps, AwaitDeps {
  config: CaptureDeps['config'] & Pick<Config, 'bufferDurationMs' | 'capturesPerMinute'>
  presenterFor: (req: Request) => Presenter
  metrics?: Pick<Metrics, 'captureSettled' | 'captureRefused'> | undefined
}

/** A press waits for its segment `2 D + 3 s` at most; what takes longer is told as it is. */
const DEFAULT_WAIT_MS = 30_000
const LONGEST_WAIT_MS = 60_000

export const exactQuery = z.object({ exact: z.enum(['true', 'false'], 'true or false').optional() })

/** Makes clips: of one session, or of what a user shared in a room. */
export function captureRoutes(deps: CaptureRoutesDeps): Router {
  const router = Router()
  const limit = createCaptureLimit(deps.config.capturesPerMinute)

  router.post('/sessions/:id/clips', async (req, res) => {
    const arrivedAt = deps.now()
    const session = await requireSessionBy(findSharedSession, deps.db, req.params.id)
    const caller = callerOf(res)
    assertActsFor(caller, session.room, session.user_id)
    const body = captureBody.parse(req.body)
    const userId = actingUser(caller, body.userId, session.user_id)
    const range = wantedRange(body, arrivedAt, deps.config.bufferDurationMs)
    const wanted = { sessions: [session], userId, title: body.title, ...range, ...readRepeat(req, session.id, body) }
    await answerCapture({ ...deps, limit }, req, res, wanted)
  })

  router.post('/clips', async (req, res) => {
    const arrivedAt = deps.now()
    const body = roomCaptureBody.parse(req.body)
    const caller = callerOf(res)
    const sharer = body.userId ?? actingUser(caller, undefined)
    assertActsFor(caller, body.room, sharer)
    const range = wantedRange(body, arrivedAt, deps.config.bufferDurationMs)
    const sessions = await listSessionsOfUser(deps.db, body.room, sharer, range.from, range.to)
    if (sessions.length === 0) throw new AppError('not_found', 'nothing of this user is kept of that time')
    const userId = actingUser(caller, undefined, sharer)
    const wanted = { sessions, userId, title: body.title, ...range, ...readRepeat(req, body.room, body) }
    await answerCapture({ ...deps, limit }, req, res, wanted)
  })

  return router
}

type LimitedDeps = CaptureRoutesDeps & { limit: CaptureLimit }

/** 201 with the finished clip; 202 with one that waits, if the caller does not want to, or no longer. */
async function answerCapture(deps: LimitedDeps, req: Request, res: Response, request: CaptureRequest): Promise<void> {
  const committed = await commit(deps, req, res, request)
  const { id } = committed
  const prefer = readPrefer(req.get('prefer'))
  const waitMs = prefer.isAsync ? 0 : Math.min(prefer.waitMs ?? DEFAULT_WAIT_MS, LONGEST_WAIT_MS)
  // What landed while this was committed told nobody yet that it was waited for.
  if (committed.status === 'waiting') await finishClip(deps, id, false)
  const clip = committed.status === 'waiting' ? await awaitClip(deps, id, waitMs) : committed
  if (!clip) throw new AppError('not_found', 'this clip was deleted while it was made')
  if (clip.status === 'failed') {
    const details = { clipId: id, coverage: clip.coverage }
    throw new AppError('range_not_recorded', clip.error ?? 'this clip failed', { details })
  }
  if (prefer.isAsync) res.set('Preference-Applied', 'respond-async')
  res.status(clip.status === 'waiting' || prefer.isAsync ? 202 : 201)
  res.location(`/v1/clips/${id}`).json(deps.presenterFor(req).clip(clip))
}

async function commit(deps: LimitedDeps, req: Request, res: Response, request: CaptureRequest): Promise<ClipWithFile> {
  try {
    await deps.limit(req, res, request.userId)
    return await captureClip(deps, request)
  } catch (error) {
    if (error instanceof AppError) deps.metrics?.captureRefused(error.code)
    throw error
  }
}

/** What makes a repeated request the same one. */
function readRepeat(req: Request, place: string, body: object) {
  const isExact = exactQuery.parse(req.query).exact === 'true'
  const key = req.get('idempotency-key')
  if (key !== undefined && !/^[\x21-\x7e]{1,200}$/.test(key))
    throw new AppError('invalid_request', 'Idempotency-Key: 1 to 200 visible ASCII characters')
  const requestHash = createHash('sha256')
    .update(JSON.stringify([place, isExact, body]))
    .digest('hex')
  return { isExact, idempotencyKey: key, requestHash }
}
