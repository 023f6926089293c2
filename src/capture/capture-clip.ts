import { v7 as uuidv7 } from 'uuid'
import { findClipByKey, recordClip, recordPins, tellClip, type ClipWithFile } from '../clip/clip.repo.ts'
import { reserveQuota } from '../clip/quota.ts'
import type { Now } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Db, Trx } from '../db/connect.ts'
import type { ClipSpan, Coverage, Session } from '../db/schema.ts'
import { AppError } from '../errors.ts'
import { enqueue } from '../job/jobs.ts'
import type { Log } from '../log.ts'
import { cutClip } from '../media/clip-cut.ts'
import { buildMp4 } from '../media/mp4-file.ts'
import { findSession } from '../session/session.repo.ts'
import { describeCoverage } from './coverage.ts'
import { chooseSpans, neededSegments, type SessionTimeline } from './cut-plan.ts'
import { loadTimeline } from './load-timeline.ts'
import { describeBuffer } from './describe-buffer.ts'

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
  /** Throws `storage_full` below the free space that is kept. */
  assertFreeSpace: () => Promise<void>
}

export interface CaptureRequest {
  session: Session
  userId: string
  from: Date
  to: Date
  pressedAt: Date
  title: string | undefined
  idempotencyKey: string | undefined
}

/** A segment lands `D + 0.67 s` after its own end (contract section 9): after `2 D` and a margin nothing more is to come. */
const WAIT_MARGIN_MS = 3000

export interface Plan {
  spans: ClipSpan[]
  coverage: Coverage
  pins: { sessionId: string; sequence: number }[]
  sizeBytes: number
}

/**
 * Commits a capture. Throws `range_not_recorded` with what is available,
 * `quota_exceeded`, `storage_full`. The same idempotency key gives the same clip.
 */
export async function captureClip(deps: CaptureDeps, request: CaptureRequest): Promise<{ id: string }> {
  const before = await findRepeated(deps.db, request)
  if (before) return before
  await deps.assertFreeSpace()
  const id = uuidv7()
  const recorded = await deps.db.transaction().execute(async (trx) => {
    const { session, from, to, userId } = request
    const timeline = await loadTimeline(trx, session, from, to)
    const plan = timeline && makePlan(timeline, from, to)
    const deadline = isAwaited(session, timeline, request) ? waitDeadline(deps, request) : undefined
    if (!plan && !deadline) throw await notRecorded(deps.db, session, request)
    if (!(await insertClip(deps, trx, id, request, plan, deadline !== undefined))) return false
    await reserveQuota(trx, userId, plan?.sizeBytes ?? 0, deps.config.quotaBytes)
    await recordPins(trx, id, plan?.pins ?? [])
    await enqueueNext(trx, id, session.id, deadline)
    return true
  })
  if (recorded) return { id }
  const repeated = await findRepeated(deps.db, request)
  if (!repeated) throw new Error('a clip with this idempotency key was there and is gone')
  return repeated
}

async function findRepeated(db: Db, request: CaptureRequest): Promise<ClipWithFile | undefined> {
  return request.idempotencyKey === undefined ? undefined : findClipByKey(db, request.userId, request.idempotencyKey)
}

/** Cuts what was recorded of the range. Undefined when nothing was. */
export function makePlan(timeline: SessionTimeline, from: Date, to: Date): Plan | undefined {
  const chosen = chooseSpans(timeline, from, to)
  if (chosen.length === 0) return undefined
  const segments = neededSegments(timeline, chosen)
  const cut = cutClip(chosen.map((span) => ({ ...span, segments })))
  const { sessionId } = timeline
  return {
    spans: cut.spans.map(({ fromTicks, toTicks }) => ({ sessionId, fromTicks, toTicks })),
    coverage: describeCoverage(timeline, from, to, cut.spans),
    pins: segments.map(({ sequence }) => ({ sessionId, sequence })),
    sizeBytes: buildMp4(cut).size,
  }
}

/** Whether more of the range is still to land: the session grows, and its share had not ended before the range does. */
export function isAwaited(
  session: Session,
  timeline: SessionTimeline | undefined,
  { to }: Pick<CaptureRequest, 'to'>,
): boolean {
  if (session.status === 'ended' || session.status === 'failed') return false
  const wanted = Math.min(to.getTime(), session.share_ended_at?.getTime() ?? Infinity)
  const landed = timeline?.placed.at(-1)
  if (!timeline || !landed) return true
  return timeline.originMs + landed.toTicks / 90 < wanted
}

function waitDeadline(deps: CaptureDeps, { to }: CaptureRequest): Date | undefined {
  const deadline = new Date(to.getTime() + 2000 * deps.config.segmentDurationSeconds + WAIT_MARGIN_MS)
  return deadline > deps.now() ? deadline : undefined
}

async function insertClip(
  deps: CaptureDeps,
  trx: Trx,
  id: string,
  request: CaptureRequest,
  plan: Plan | undefined,
  waits: boolean,
): Promise<boolean> {
  const { session, from, to } = request
  return recordClip(trx, {
    id,
    user_id: request.userId,
    session_id: session.id,
    community_id: session.community_id,
    title: request.title ?? null,
    requested_from: from,
    requested_to: to,
    pressed_at: request.pressedAt,
    idempotency_key: request.idempotencyKey ?? null,
    created_at: deps.now(),
    error: null,
    file_id: null,
    ...planColumns(plan, from, to),
    status: waits ? 'waiting' : 'ready',
    size_bytes: waits || !plan ? null : plan.sizeBytes,
  })
}

/** What a plan says in a clip's row; without one, that nothing has landed yet. */
export function planColumns(plan: Plan | undefined, from: Date, to: Date) {
  const coverage: Coverage = plan?.coverage ?? {
    requestedFrom: from.toISOString(),
    requestedTo: to.toISOString(),
    coveredFrom: from.toISOString(),
    coveredTo: from.toISOString(),
    coveredSeconds: 0,
    gaps: [{ from: from.toISOString(), to: to.toISOString(), reason: 'not_yet' }],
    complete: false,
    clock: 'estimated',
  }
  return {
    coverage: JSON.stringify(coverage),
    spans: JSON.stringify(plan?.spans ?? []),
    from_at: plan ? new Date(coverage.coveredFrom) : from,
    to_at: plan ? new Date(coverage.coveredTo) : to,
    reserved_bytes: plan?.sizeBytes ?? 0,
  }
}

async function enqueueNext(trx: Trx, clipId: string, sessionId: string, deadline: Date | undefined): Promise<void> {
  if (deadline) await enqueue(trx, 'finish_clip', sessionId, { clipId }, { key: `finish:${clipId}`, runAt: deadline })
  else await enqueue(trx, 'store_clip', sessionId, { clipId }, { key: `store:${clipId}` })
  await tellClip(trx, clipId)
}

async function notRecorded(db: Db, session: Session, { from, to }: CaptureRequest): Promise<AppError> {
  const fresh = await findSession(db, session.id)
  const available = fresh && (await describeBuffer(db, fresh))
  return new AppError('range_not_recorded', 'nothing of this range is in the buffer', {
    details: { requestedFrom: from.toISOString(), requestedTo: to.toISOString(), available: available ?? null },
  })
}
