import { listWaitingClips, lockClip, recordPins, setClip } from '../clip/clip.repo.ts'
import { changeReserved } from '../clip/quota.ts'
import type { Clip } from '../db/schema.ts'
import type { Trx } from '../db/connect.ts'
import { enqueue } from '../job/jobs.ts'
import { findSession } from '../session/session.repo.ts'
import { isAwaited, makePlan, planColumns, type CaptureDeps } from './capture-clip.ts'
import { loadTimeline } from './load-timeline.ts'

export type FinishOutcome = 'ready' | 'failed' | 'waiting' | 'not_waiting'

/** New segments of a session are in the index: the clips that waited for them are ready. */
export async function finishWaitingClips(deps: CaptureDeps, sessionId: string): Promise<number> {
  let ready = 0
  for (const clipId of await listWaitingClips(deps.db, sessionId))
    if ((await finishClip(deps, clipId, false)) === 'ready') ready += 1
  return ready
}

/**
 * Makes a waiting clip of what has landed: when all of it has, or, as the job
 * `finish_clip`, because its deadline has come. Without anything to show it has failed.
 */
export async function finishClip(deps: CaptureDeps, clipId: string, isDue: boolean): Promise<FinishOutcome> {
  const outcome = await deps.db.transaction().execute(async (trx) => {
    const clip = await lockClip(trx, clipId)
    const session = clip && (await findSession(trx, clip.session_id))
    if (clip?.status !== 'waiting' || !session) return 'not_waiting'
    const from = clip.requested_from
    const to = clip.requested_to
    const timeline = await loadTimeline(trx, session, from, to)
    const isEarly = !isDue && isAwaited(session, timeline, { to })
    const plan = timeline && makePlan(timeline, from, to)
    if (plan) await recordPins(trx, clipId, plan.pins)
    if (isEarly) return 'waiting'
    if (!plan) return failClip(trx, clip, 'nothing of the range was recorded')
    await changeReserved(trx, clip.user_id, plan.sizeBytes - clip.reserved_bytes)
    await setClip(trx, clipId, { ...planColumns(plan, from, to), status: 'ready', size_bytes: plan.sizeBytes })
    await enqueue(trx, 'store_clip', session.id, { clipId }, { key: `store:${clipId}` })
    return 'ready'
  })
  if (outcome === 'failed') deps.log.warn('clip failed', { clipId, why: 'nothing of the range was recorded' })
  if (outcome === 'ready') deps.log.info('clip ready', { clipId, isDue })
  return outcome
}

async function failClip(trx: Trx, clip: Clip, error: string): Promise<'failed'> {
  await changeReserved(trx, clip.user_id, -clip.reserved_bytes)
  await setClip(trx, clip.id, { status: 'failed', error, reserved_bytes: 0 })
  return 'failed'
}
