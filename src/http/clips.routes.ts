import { Router, type Request, type Response } from 'express'
import { z } from 'zod'
import { listSessionsOfUser } from '../capture/load-timeline.ts'
import { captureClip, type CaptureDeps, type CaptureRequest } from '../capture/capture-clip.ts'
import { findClip, listClips, type ClipWithFile } from '../clip/clip.repo.ts'
import { deleteClip, type DeleteDeps } from '../clip/delete-clip.ts'
import { findQuota } from '../clip/quota.ts'
import { renameClip } from '../clip/rename-clip.ts'
import type { Config } from '../config.ts'
import type { Db } from '../db/connect.ts'
import type { Listener } from '../db/listen.ts'
import { AppError } from '../errors.ts'
import { isOurId } from '../own-id.ts'
import { actingUser, assertActsFor, assertOwnsClip, callerOf } from './access.ts'
import { awaitClip } from './await-clip.ts'
import { captureBody, readPrefer, roomCaptureBody, wantedRange } from './capture-body.ts'
import type { PresentClip } from './present.ts'
import { requireSession } from './sessions.routes.ts'

export interface ClipRoutesDeps extends CaptureDeps, DeleteDeps {
  listener: Listener
  config: CaptureDeps['config'] & Pick<Config, 'bufferDurationMs'>
  presenterFor: (req: Request) => PresentClip
}

/** A press waits for its segment `2 D + 3 s` at most; what takes longer is told as it is. */
const DEFAULT_WAIT_MS = 30_000
const LONGEST_WAIT_MS = 60_000

const title = z.string().trim().min(1, '1 to 200 characters').max(200, '1 to 200 characters')
const exactQuery = z.object({ exact: z.enum(['true', 'false'], 'true or false').optional() })
const patchBody = z.strictObject({ title: title.nullable() })
const number = (min: number, max: number, fallback: number) =>
  z.coerce.number(`a whole number from ${min} to ${max}`).int().min(min).max(max).default(fallback)
const listQuery = z.object({
  limit: number(1, 100, 20),
  offset: number(0, 1_000_000, 0),
  communityId: z.string().optional(),
  userId: z.string().optional(),
})

/** Capturing, and a user's clips. */
export function clipRoutes(deps: ClipRoutesDeps): Router {
  const router = Router()

  router.post('/sessions/:id/clips', async (req, res) => {
    const arrivedAt = deps.now()
    const session = await requireSession(deps.db, req.params.id)
    const caller = callerOf(res)
    assertActsFor(caller, session.room, session.user_id)
    const body = captureBody.parse(req.body)
    const userId = actingUser(caller, body.userId, session.user_id)
    const range = wantedRange(body, arrivedAt, deps.config.bufferDurationMs)
    await answerCapture(deps, req, res, { sessions: [session], userId, title: body.title, ...range })
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
    await answerCapture(deps, req, res, { sessions, userId, title: body.title, ...range })
  })

  router.get('/clips', async (req, res) => {
    const { userId, communityId, limit, offset } = listQuery.parse(req.query)
    const owner = actingUser(callerOf(res), userId)
    const { clips, total } = await listClips(deps.db, { userId: owner, communityId, limit, offset })
    const hasMore = offset + clips.length < total
    res.json({ clips: clips.map(deps.presenterFor(req)), total, hasMore })
  })

  router.get('/clips/:id', async (req, res) => {
    const clip = await requireClip(deps.db, req.params.id)
    assertOwnsClip(callerOf(res), clip)
    res.json(deps.presenterFor(req)(clip))
  })

  router.patch('/clips/:id', async (req, res) => {
    const clip = await requireClip(deps.db, req.params.id)
    assertOwnsClip(callerOf(res), clip)
    await renameClip(deps.db, clip.id, patchBody.parse(req.body).title)
    res.json(deps.presenterFor(req)(await requireClip(deps.db, clip.id)))
  })

  router.delete('/clips/:id', async (req, res) => {
    const clip = await requireClip(deps.db, req.params.id)
    assertOwnsClip(callerOf(res), clip)
    const { freedBytes } = await deleteClip(deps, clip.id)
    const { remainingBytes } = await findQuota(deps.db, clip.user_id, deps.config.quotaBytes)
    res.json({ freedBytes, remainingQuotaBytes: remainingBytes })
  })

  router.get('/quota', async (req, res) => {
    const { userId } = z.object({ userId: z.string().optional() }).parse(req.query)
    res.json(await findQuota(deps.db, actingUser(callerOf(res), userId), deps.config.quotaBytes))
  })

  return router
}

/** 201 with the finished clip; 202 with one that waits, if the caller does not want to, or no longer. */
async function answerCapture(
  deps: ClipRoutesDeps,
  req: Request,
  res: Response,
  wanted: Omit<CaptureRequest, 'isExact' | 'idempotencyKey'>,
): Promise<void> {
  const { exact } = exactQuery.parse(req.query)
  const request = { ...wanted, isExact: exact === 'true', idempotencyKey: idempotencyKeyOf(req) }
  const { id } = await captureClip(deps, request)
  const prefer = readPrefer(req.get('prefer'))
  const waitMs = prefer.isAsync ? 0 : Math.min(prefer.waitMs ?? DEFAULT_WAIT_MS, LONGEST_WAIT_MS)
  const clip = (await awaitClip(deps, id, waitMs)) ?? notFound()
  if (clip.status === 'failed') {
    const details = { clipId: id, coverage: clip.coverage }
    throw new AppError('range_not_recorded', clip.error ?? 'this clip failed', { details })
  }
  if (prefer.isAsync) res.set('Preference-Applied', 'respond-async')
  res.status(clip.status === 'waiting' || prefer.isAsync ? 202 : 201)
  res.location(`/v1/clips/${id}`).json(deps.presenterFor(req)(clip))
}

function idempotencyKeyOf(req: Request): string | undefined {
  const key = req.get('idempotency-key')
  if (key !== undefined && !/^[\x21-\x7e]{1,200}$/.test(key))
    throw new AppError('invalid_request', 'Idempotency-Key: 1 to 200 visible ASCII characters')
  return key
}

/** Throws `not_found`. */
export async function requireClip(db: Db, id: string): Promise<ClipWithFile> {
  return (isOurId(id) ? await findClip(db, id) : undefined) ?? notFound()
}

function notFound(): never {
  throw new AppError('not_found', 'there is no such clip')
}
