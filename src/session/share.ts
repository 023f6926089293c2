import type { Trx } from '../db/connect.ts'
import type { Session, ShareRow } from '../db/schema.ts'
import { dequeue } from '../job/jobs.ts'
import type { Participant } from '../livekit/room-service.ts'
import { decideAutoStart, type AutoStart } from './auto-start.ts'
import { decideBeginning } from './begin.ts'
import { askToStop, createSession, enqueueStop, stopKey, type LifecycleDeps } from './create-session.ts'
import { followShare, type CurrentSession, type Step } from './follow-share.ts'
import {
  discardSession,
  findSessionOfTrack,
  lockCurrentSession,
  recordShareSpan,
  setSession,
  setShareSpansEnded,
} from './session.repo.ts'
import { listLivingShares } from './share.repo.ts'

/*
 * A session follows its user's shares.
 * - Whatever tells of a share (webhook, LiveKit's answer) records what it knows and then
 *   calls `followShares`, which does what follows from all that is known. So order and
 *   repetition make no difference.
 * - The caller holds the user's lock (`lockUser`).
 * - A session row exists before its egress is asked for, in the transaction that saw the share.
 * - A share that goes is given `unshareLingerMs` to come back before its egress is stopped.
 */

export type ShareOutcome =
  | 'session_created'
  | 'session_continued'
  | 'session_replaced'
  | 'already_recording'
  | 'share_ended'
  | 'nothing_shared'
  | 'stopped_by_user'
  | 'opted_out'
  | 'not_opted_in'
  | 'no_person'
  | 'auto_start_off'

/**
 * Does to the user's session in the room what their shares call for. Repeating it changes
 * nothing. `participant` is what LiveKit answers of them, if it was asked: then their
 * attributes count as well.
 */
export async function followShares(
  deps: LifecycleDeps,
  trx: Trx,
  user: { room: string; userId: string },
  participant?: Participant,
): Promise<ShareOutcome> {
  const session = await lockCurrentSession(trx, user.room, user.userId)
  const shares = await listLivingShares(trx, { ...user, trackSid: session?.video_track_sid })
  const known = shares.map((share) => ({
    trackSid: share.track_sid,
    publishedAt: share.published_at,
    goneAt: share.gone_at,
    goneReason: share.gone_reason,
    row: share,
  }))
  const step = followShare(session && currentSession(session), known)
  const asked = participant && decideAutoStart(deps.config.autoStart, participant, session?.requested_by ?? 'webhook')
  if (session && asked && asked !== 'record' && step.step !== 'linger' && step.step !== 'discard')
    return withdraw(deps, trx, session, asked)
  return take(deps, trx, session, step, asked)
}

function currentSession(session: Session): CurrentSession {
  return {
    status: session.status === 'active' || session.status === 'refused' ? session.status : 'starting',
    egressType: session.egress_type,
    trackSid: session.video_track_sid,
    shareEndedAt: session.share_ended_at,
    endedReason: session.ended_reason,
    isAsked: session.egress_id !== null || session.start_sent_at !== null,
  }
}

type KnownRow = { trackSid: string; publishedAt: Date; goneAt: Date | null; goneReason: 'unshared' | 'left' | null } & {
  row: ShareRow
}

async function take(
  deps: LifecycleDeps,
  trx: Trx,
  session: Session | undefined,
  step: Step<KnownRow>,
  asked: AutoStart | undefined,
): Promise<ShareOutcome> {
  if (step.step === 'start') return begin(deps, trx, step.share.row, undefined, asked)
  if (!session) return 'nothing_shared'
  switch (step.step) {
    case 'keep':
      return session.share_ended_at ? 'share_ended' : 'already_recording'
    case 'continue':
      await continueSession(trx, session, step.share.row)
      return 'session_continued'
    case 'replace':
      await setShareSpansEnded(trx, session.id, session.share_ended_at ?? step.share.publishedAt)
      await askToStop(trx, session, 'replaced')
      return begin(deps, trx, step.share.row, session, asked)
    case 'linger':
      await linger(deps, trx, session, step)
      break
    case 'discard':
      await discardSession(trx, session.id, deps.now())
  }
  return 'share_ended'
}

/** Gives a share its session, like the one it had before, or the one whose place it takes. */
async function begin(
  deps: LifecycleDeps,
  trx: Trx,
  share: ShareRow,
  replaced: Session | undefined,
  asked: AutoStart | undefined,
): Promise<ShareOutcome> {
  const before = (await findSessionOfTrack(trx, share.track_sid)) ?? replaced
  const beginning = decideBeginning(before, asked, deps.config)
  if (!beginning.begins) return beginning.why
  const created = await createSession(deps, trx, share, beginning)
  if (!created) return 'already_recording'
  return replaced ? 'session_replaced' : 'session_created'
}

/** Somebody does not want to be recorded (any more): what was recorded till now keeps its grace. */
async function withdraw(deps: LifecycleDeps, trx: Trx, session: Session, why: AutoStart): Promise<ShareOutcome> {
  if (session.egress_id || session.start_sent_at) await askToStop(trx, session, 'opted_out')
  else await discardSession(trx, session.id, deps.now())
  return why === 'record' ? 'already_recording' : why
}

async function continueSession(trx: Trx, session: Session, share: ShareRow): Promise<void> {
  await setShareSpansEnded(trx, session.id, session.share_ended_at ?? share.published_at)
  await recordShareSpan(trx, { session_id: session.id, track_sid: share.track_sid, shared_from: share.published_at })
  await dequeue(trx, stopKey(session.id))
  await setSession(trx, session.id, {
    participant_sid: share.participant_sid,
    video_track_sid: share.track_sid,
    share_ended_at: null,
    ended_reason: session.status === 'refused' ? session.ended_reason : null,
  })
}

async function linger(deps: LifecycleDeps, trx: Trx, session: Session, { at, reason }: Step & { step: 'linger' }) {
  const endedAt = session.share_ended_at ?? at ?? deps.now()
  await setShareSpansEnded(trx, session.id, endedAt)
  // A person who leaves is told of twice, by the track and by the participant: the linger counts from the first.
  if (!session.share_ended_at) await enqueueStop(trx, session.id, deps.config.unshareLingerMs)
  await setSession(trx, session.id, { share_ended_at: endedAt, ended_reason: reason })
}
