import type { Config } from '../config.ts'
import { isDatabaseAway } from '../db/connect.ts'
import type { Trx } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import { AppError } from '../errors.ts'
import type { EgressFacts } from '../livekit/egress-facts.ts'
import type { EgressApi } from '../livekit/egress.ts'
import { mayHaveBeenObeyed } from '../livekit/livekit-error.ts'
import type { Participant, RoomApi } from '../livekit/room-service.ts'
import { errorFields, type Log } from '../log.ts'
import { ATTRIBUTES, chooseQuality } from './auto-start.ts'
import { startPauseMs } from './begin.ts'
import { findRefusal, type CapacityDeps, type Refusal } from './capacity.ts'
import { askToStart, type LifecycleDeps } from './create-session.ts'
import { applyEgressFacts, endSession, enqueueStrayStop } from './lifecycle.ts'
import { observeUser } from './observe.ts'
import { discardSession, findSession, lockSession, setSession } from './session.repo.ts'
import { listLivingShares } from './share.repo.ts'
import { nextStatus } from './transition.ts'

export interface StartDeps extends LifecycleDeps, CapacityDeps {
  log: Log
  rooms: RoomApi
  egress: EgressApi
  config: LifecycleDeps['config'] & CapacityDeps['config'] & Pick<Config, 'segmentDurationSeconds'>
}

/**
 * The job `start_egress`. LiveKit is asked first whether the share is still there and
 * wanted; an egress whose start answer was lost is found by its path and taken over.
 * Whatever goes wrong is tried again, with growing pauses, as long as the share lives.
 */
export async function startEgress(
  deps: StartDeps,
  { sessionId, tries = 0 }: { sessionId: string; tries?: number },
): Promise<string> {
  try {
    return await tryToStart(deps, sessionId)
  } catch (error) {
    if (isDatabaseAway(error)) throw error
    const pauseMs = startPauseMs(tries)
    await askToStart(deps.db, sessionId, pauseMs, tries + 1)
    const foreseen = error instanceof AppError && error.code === 'livekit_unavailable'
    const level = foreseen ? 'warn' : 'error'
    deps.log[level]('egress not started yet', { sessionId, tries: tries + 1, pauseMs, ...errorFields(error) })
    return 'tried_in_vain'
  }
}

async function tryToStart(deps: StartDeps, sessionId: string): Promise<string> {
  const known = await findSession(deps.db, sessionId)
  if (known?.status !== 'starting' || known.egress_id) return 'not_needed'
  const askedAt = deps.now()
  const participant = await deps.rooms.findParticipant(known.room, known.user_id)
  const claim = await deps.db.transaction().execute((trx) => claimStart(deps, trx, known, participant, askedAt))
  if ('dropped' in claim) {
    const fields = { sessionId, room: known.room, user: known.user_id, why: claim.dropped, ...claim.refusal }
    deps.log[claim.refusal ? 'warn' : 'info']('share not recorded', fields)
    return claim.dropped
  }
  if ('notYet' in claim) return 'share_not_shown_yet'
  const running = (await deps.egress.listActive(known.room)).find((facts) => facts.sessionId === sessionId)
  if (running) return bind(deps, claim.session, running, 'egress adopted')
  if (claim.session.start_sent_at) return giveUp(deps, claim.session)
  return callStart(deps, claim.session, claim.participant)
}

type Claim = { dropped: string; refusal?: Refusal } | { notYet: true } | { session: Session; participant: Participant }

/** Whether an egress may be asked for, by what LiveKit answered and by our own limits. */
async function claimStart(
  deps: StartDeps,
  trx: Trx,
  { id, room, user_id: userId }: Session,
  participant: Participant | undefined,
  askedAt: Date,
): Promise<Claim> {
  const outcome = await observeUser(deps, trx, { room, userId, participant, askedAt })
  const session = await lockSession(trx, id)
  if (session?.status !== 'starting' || session.egress_id) return { dropped: outcome }
  if (!participant?.screenShare) {
    // LiveKit may tell of a share before it shows it.
    if ((await listLivingShares(trx, { room, userId })).length > 0) {
      await askToStart(trx, id, startPauseMs(0))
      return { notYet: true }
    }
    if (session.start_sent_at || session.requested_by === 'api') await endSession(deps, trx, id, 'start_dropped')
    else await discardSession(trx, id, deps.now())
    return { dropped: 'share_gone' }
  }
  const communityId = session.community_id ?? participant.attributes[ATTRIBUTES.community] ?? null
  const refusal = await findRefusal(deps, trx, communityId, id)
  if (refusal) return refuse(trx, session, communityId, refusal)
  const facts = {
    username: participant.name ?? null,
    audio_track_sid: participant.screenShareAudio?.trackSid ?? session.audio_track_sid,
    community_id: communityId,
    quality: session.requested_by === 'api' ? session.quality : chooseQuality(participant.attributes, session.quality),
    ended_reason: null,
    error: null,
  }
  await setSession(trx, id, facts)
  return { session: { ...session, ...facts }, participant }
}

async function refuse(trx: Trx, session: Session, communityId: string | null, refusal: Refusal): Promise<Claim> {
  const status = nextStatus(session.status, 'start_refused') ?? session.status
  const why = { ended_reason: refusal.reason, error: refusal.error }
  await setSession(trx, session.id, { status, community_id: communityId, ...why })
  return { dropped: 'refused', refusal }
}

async function callStart(deps: StartDeps, session: Session, participant: Participant): Promise<string> {
  const setSent = (at: Date | null) =>
    deps.db.transaction().execute((trx) => setSession(trx, session.id, { start_sent_at: at }))
  await setSent(deps.now())
  try {
    const facts = await deps.egress.start({
      sessionId: session.id,
      type: session.egress_type,
      room: session.room,
      identity: session.user_id,
      videoTrackSid: participant.screenShare?.trackSid ?? '',
      audioTrackSid: participant.screenShareAudio?.trackSid,
      quality: session.quality,
      segmentDurationSeconds: deps.config.segmentDurationSeconds,
    })
    return await bind(deps, session, facts, 'egress started')
  } catch (error) {
    if (!mayHaveBeenObeyed(error)) await setSent(null)
    throw error
  }
}

async function bind(
  deps: StartDeps,
  session: Session,
  facts: EgressFacts,
  message: 'egress started' | 'egress adopted',
): Promise<string> {
  const { outcome } = await deps.db.transaction().execute(async (trx) => {
    const applied = await applyEgressFacts(deps, trx, facts)
    if (applied.outcome === 'unknown_egress') await enqueueStrayStop(trx, session.id, facts.egressId)
    return applied
  })
  const fields = { sessionId: session.id, egressId: facts.egressId, room: session.room, user: session.user_id }
  deps.log.info(message, fields)
  return outcome
}

/**
 * A start call's answer was lost, and no egress is to be seen under its path. It may still
 * turn up, and two must never write to one directory: so the share has another session,
 * and whatever turns up here is stopped.
 */
async function giveUp(deps: StartDeps, session: Session): Promise<string> {
  await deps.db.transaction().execute((trx) => endSession(deps, trx, session.id, 'egress_lost'))
  deps.log.warn('session given up, its start was not answered', { sessionId: session.id, room: session.room })
  return 'given_up'
}
