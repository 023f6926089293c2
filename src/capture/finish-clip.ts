import { deletePins, listClipSessions, listWaitingClips, lockClip, setClip, setPins } from '../clip/clip.repo.ts'
import { changeReserved } from '../clip/quota.ts'
import type { Trx } from '../db/connect.ts'
import type { Clip } from '../db/schema.ts'
import { dequeue } from '../job/jobs.ts'
import { askToStore } from './ask-to-store.ts'
import type { CaptureDeps } from './capture-clip.ts'
import { listSharedSessions, loadTimelines } from './load-timeline.ts'
import { isAwaited, makePlan, planColumns, type Plan } from './make-plan.ts'

export type FinishOutcome = 'ready' | 'failed' | 'waiting' | 'not_waiting'

/**
 * Something changed in a session: the clips that waited for it grow, or are ready.
 * `first` is done before they are looked at, if there are any.
 */
export async function finishWaitingClips(
  deps: CaptureDeps,
  sessionId: string,
  first?: () => Promise<void>,
): Promise<number> {
  const waiting = await listWaitingClips(deps.db, sessionId)
  if (waiting.length > 0) await first?.()
  let ready = 0
  for (const clipId of waiting) if ((await finishClip(deps, clipId, false)) === 'ready') ready += 1
  return ready
}

/**
 * Makes a waiting clip of what has landed: when all of it has, or, as the job
 * `finish_clip`, because its deadline has come. Without anything to show it has failed.
 */
export async function finishClip(deps: CaptureDeps, clipId: string, isDue: boolean): Promise<FinishOutcome> {
  let pressedAt = deps.now()
  const outcome = await deps.db.transaction().execute(async (trx) => {
    const clip = await lockClip(trx, clipId)
    if (clip?.status !== 'waiting') return 'not_waiting'
    pressedAt = clip.pressed_at
    const { requested_from: from, requested_to: to } = clip
    const sessions = await listSharedSessions(trx, await listClipSessions(trx, clipId))
    const timelines = await loadTimelines(trx, sessions, from, to)
    const plan = makePlan(timelines, from, to)
    if (!isDue && isAwaited(sessions, timelines, to)) return growClip(trx, clip, plan)
    if (!isDue) await dequeue(trx, `finish:${clipId}`)
    return settleClip(trx, clip, plan)
  })
  if (outcome === 'ready' || outcome === 'failed')
    deps.metrics?.captureSettled(outcome, deps.now().getTime() - pressedAt.getTime())
  if (outcome === 'failed') deps.log.warn('clip failed', { clipId })
  if (outcome === 'ready') deps.log.info('clip ready', { clipId, isDue })
  return outcome
}

/** What has landed so far is pinned, and plays. */
async function growClip(trx: Trx, clip: Clip, plan: Plan | undefined): Promise<FinishOutcome> {
  if (!plan) return 'waiting'
  await setPins(trx, clip.id, plan.pins)
  const columns = planColumns(plan, clip.requested_from, clip.requested_to, true)
  await changeReserved(trx, clip.user_id, columns.reserved_bytes - clip.reserved_bytes)
  await setClip(trx, clip.id, columns)
  return 'waiting'
}

async function settleClip(trx: Trx, clip: Clip, plan: Plan | undefined): Promise<FinishOutcome> {
  if (!plan) return failClip(trx, clip, 'nothing of the range was recorded')
  const columns = planColumns(plan, clip.requested_from, clip.requested_to, false)
  if (clip.is_exact && !plan.coverage.complete) return failClip(trx, clip, 'not all of the range was recorded')
  await setPins(trx, clip.id, plan.pins)
  await changeReserved(trx, clip.user_id, plan.sizeBytes - clip.reserved_bytes)
  await setClip(trx, clip.id, { ...columns, status: 'ready', size_bytes: plan.sizeBytes })
  await askToStore(trx, clip.session_id, clip.id)
  return 'ready'
}

async function failClip(trx: Trx, clip: Clip, error: string): Promise<'failed'> {
  await changeReserved(trx, clip.user_id, -clip.reserved_bytes)
  await deletePins(trx, clip.id)
  await setClip(trx, clip.id, { status: 'failed', error, reserved_bytes: 0 })
  return 'failed'
}
