import { v7 as uuidv7 } from 'uuid'
import { findClipByKey, recordClip, type ClipWithFile } from '../clip/clip.repo.ts'
import { reserveQuota } from '../clip/quota.ts'
import type { Now } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Db, Trx } from '../db/connect.ts'
import type { Clip } from '../db/schema.ts'
import { AppError } from '../errors.ts'
import { addJobs, jobSpec } from '../job/jobs.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { addStoreJobs } from './ask-to-store.ts'
import type { ClipMediaCache } from './clip-media.ts'
import { describeBuffer } from './describe-buffer.ts'
import { loadTimelines, type SharedSession } from './load-timeline.ts'
import { contentKey, isAwaited, makePlan, planColumns, type Plan } from './make-plan.ts'

/*
 * A capture.
 * - Plan, clip row, pins and quota are one transaction, with the segments' rows locked:
 *   from its commit on nothing that the clip needs can be deleted.
 * - A clip is `ready` when what it shows has landed: its bytes are known, whether or not
 *   they are a file yet. Until then it is `waiting`, for one deadline at the most.
 */

export interface CaptureDeps {
  db: Db
  now: Now
  log: Log
  config: Pick<Config, 'segmentDurationSeconds' | 'quotaBytes'>
  mediaCache: ClipMediaCache
  /** Throws `storage_full` below the free space that is kept. */
  assertFreeSpace: () => Promise<void>
  metrics?: Pick<Metrics, 'captureSettled'> | undefined
}

export interface CaptureRequest {
  /** Of one user in one room, oldest first; at least one. */
  sessions: SharedSession[]
  userId: string
  from: Date
  to: Date
  pressedAt: Date
  title: string | undefined
  /** All of the range or nothing: refused, or failed after the wait, if anything is missing. */
  isExact: boolean
  idempotencyKey: string | undefined
  /** Of all that makes the request what it is. */
  requestHash: string
}

/** A segment lands `D + 0.67 s` after its own end (contract section 9): after `2 D` and a margin nothing more is to come. */
const WAIT_MARGIN_MS = 3000

/**
 * Commits a capture. Throws `range_not_recorded` with what is available,
 * `quota_exceeded`, `storage_full`. The same idempotency key gives the same clip, and
 * throws `idempotency_key_reused` when something else is asked for with it.
 */
export async function captureClip(deps: CaptureDeps, request: CaptureRequest): Promise<ClipWithFile> {
  for (;;) {
    const before = await findRepeated(deps.db, request)
    if (before) return before
    await deps.assertFreeSpace()
    const clip = await deps.db.transaction().execute((trx) => commitCapture(deps, trx, uuidv7(), request))
    if (clip?.status === 'ready')
      deps.metrics?.captureSettled('ready', deps.now().getTime() - request.pressedAt.getTime())
    const room = request.sessions.at(-1)?.room ?? ''
    if (clip) return { ...clip, room, sha256: null, file_path: null }
    // Somebody took the key between the look and the commit: theirs is found now, unless it was deleted already.
  }
}

/** One try of a capture, all of it in `trx`. Undefined when the idempotency key turned out to be taken. */
export async function commitCapture(
  deps: CaptureDeps,
  trx: Trx,
  id: string,
  request: CaptureRequest,
): Promise<Clip | undefined> {
  const { sessions, from, to } = request
  const timelines = await loadTimelines(trx, sessions, from, to)
  const plan = makePlan(timelines, from, to)
  const waitMs = isAwaited(sessions, timelines, to) ? longestWaitMs(deps, request) : 0
  const isEnough = plan && (plan.coverage.complete || !request.isExact)
  if (!isEnough && waitMs === 0) throw await notRecorded(trx, request, plan)
  const clip = await insertClip(deps, trx, id, request, plan, waitMs)
  if (!clip) return undefined
  // Whoever is handed this clip asks for it next.
  if (plan && waitMs === 0) await deps.mediaCache(contentKey(plan), () => Promise.resolve(plan.media))
  return clip
}

async function findRepeated(db: Db, request: CaptureRequest): Promise<ClipWithFile | undefined> {
  const { userId, idempotencyKey, requestHash } = request
  const clip = idempotencyKey === undefined ? undefined : await findClipByKey(db, userId, idempotencyKey)
  if (clip && clip.request_hash !== null && clip.request_hash !== requestHash)
    throw new AppError('idempotency_key_reused', 'Idempotency-Key: something else was asked for with this key before')
  return clip
}

function longestWaitMs(deps: CaptureDeps, { to }: CaptureRequest): number {
  const deadline = to.getTime() + 2000 * deps.config.segmentDurationSeconds + WAIT_MARGIN_MS
  return Math.max(0, deadline - deps.now().getTime())
}

async function insertClip(
  deps: CaptureDeps,
  trx: Trx,
  id: string,
  request: CaptureRequest,
  plan: Plan | undefined,
  waitMs: number,
): Promise<Clip | undefined> {
  const { sessions, from, to } = request
  const session = sessions.at(-1)
  if (!session) throw new Error('a capture without a session')
  const waits = waitMs > 0
  const clip = {
    id,
    user_id: request.userId,
    session_id: session.id,
    community_id: session.community_id,
    title: request.title ?? null,
    requested_from: from,
    requested_to: to,
    pressed_at: request.pressedAt,
    is_exact: request.isExact,
    idempotency_key: request.idempotencyKey ?? null,
    request_hash: request.idempotencyKey === undefined ? null : request.requestHash,
    created_at: deps.now(),
    error: null,
    file_id: null,
    ...planColumns(plan, from, to, waits),
    status: waits ? ('waiting' as const) : ('ready' as const),
    size_bytes: waits || !plan ? null : plan.sizeBytes,
  }
  const finish = () =>
    addJobs([jobSpec('finish_clip', session.id, { clipId: id }, { key: `finish:${id}`, inMs: waitMs })])
  const { quotaBytes } = deps.config
  const recorded = await recordClip(trx, {
    clip,
    sessionIds: sessions.map((one) => one.id),
    pins: plan?.pins ?? [],
    jobs: waits ? finish() : addStoreJobs(session.id, id),
    quotaBytes,
  })
  if (recorded && !recorded.hasRoom) await reserveQuota(trx, clip.user_id, clip.reserved_bytes, quotaBytes)
  return recorded?.clip
}

async function notRecorded(db: Db, { sessions, from, to }: CaptureRequest, plan: Plan | undefined): Promise<AppError> {
  const available = await Promise.all(sessions.map((session) => describeBuffer(db, session)))
  const requested = { requestedFrom: from.toISOString(), requestedTo: to.toISOString() }
  const details = { ...requested, available, ...(plan ? { coverage: plan.coverage } : {}) }
  const message = plan ? 'not all of this range was recorded' : 'nothing of this range is in the buffer'
  return new AppError('range_not_recorded', message, { details })
}
