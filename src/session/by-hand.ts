import type { Quality } from '../config.ts'
import type { Trx } from '../db/connect.ts'
import type { Session } from '../db/schema.ts'
import { AppError } from '../errors.ts'
import { enqueue } from '../job/jobs.ts'
import type { Participant, RoomApi } from '../livekit/room-service.ts'
import { ATTRIBUTES, chooseQuality, decideAutoStart } from './auto-start.ts'
import { findRefusal, type CapacityDeps } from './capacity.ts'
import { askToStart, askToStop, createSession, type LifecycleDeps } from './create-session.ts'
import { endSession, lockSessionOf } from './lifecycle.ts'
import { recordObservation } from './observe.ts'
import { findSession, lockCurrentSession, setSession } from './session.repo.ts'
import { listLivingShares, lockUser } from './share.repo.ts'

export interface ByHandDeps extends LifecycleDeps, CapacityDeps {
  rooms: RoomApi
  config: LifecycleDeps['config'] & CapacityDeps['config']
}

export interface StartRequest {
  room: string
  userId: string
  communityId?: string | undefined
  quality?: Quality | undefined
}

/**
 * Starts a buffer because somebody asked, whatever the auto-start mode. Throws
 * `not_sharing`, `forbidden` (opted out), `already_recording`, `limit_reached`,
 * `storage_full`, `livekit_unavailable`.
 */
export async function startByHand(deps: ByHandDeps, request: StartRequest): Promise<Session> {
  const askedAt = deps.now()
  const participant = await deps.rooms.findParticipant(request.room, request.userId)
  if (!participant?.screenShare) throw notSharing()
  if (decideAutoStart(deps.config.autoStart, participant, 'api') !== 'record')
    throw new AppError('forbidden', `this participant is not recorded (attribute ${ATTRIBUTES.enabled})`)
  const id = await deps.db.transaction().execute(async (trx) => {
    const { room, userId } = request
    await lockUser(trx, room, userId)
    await recordObservation(deps, trx, { room, userId, participant, askedAt })
    return begin(deps, trx, request, participant)
  })
  const session = id === undefined ? undefined : await findSession(deps.db, id)
  if (!session) throw alreadyRecording()
  return session
}

async function begin(
  deps: ByHandDeps,
  trx: Trx,
  { room, userId, ...request }: StartRequest,
  participant: Participant,
): Promise<string | undefined> {
  const current = await lockCurrentSession(trx, room, userId)
  if (current && current.status !== 'refused') throw alreadyRecording()
  const shares = await listLivingShares(trx, { room, userId })
  const share = shares.find(({ track_sid }) => track_sid === participant.screenShare?.trackSid)
  if (!share) throw notSharing()
  const wish = {
    requestedBy: 'api',
    quality: request.quality ?? chooseQuality(participant.attributes, deps.config.quality),
    communityId: request.communityId ?? participant.attributes[ATTRIBUTES.community] ?? null,
    attempt: 0,
    pauseMs: 0,
  } as const
  const refusal = await findRefusal(deps, trx, wish.communityId, current?.id)
  if (refusal) throw new AppError(refusal.reason === 'disk' ? 'storage_full' : 'limit_reached', refusal.error)
  if (!current) return createSession(deps, trx, share, wish)
  const { quality, communityId } = wish
  const asked = { requested_by: 'api', quality, community_id: communityId } as const
  await setSession(trx, current.id, { ...asked, status: 'starting', ended_reason: null, error: null })
  await askToStart(trx, current.id, 0)
  return current.id
}

const notSharing = () => new AppError('not_sharing', 'this user is not sharing their screen in this room')
const alreadyRecording = () => new AppError('already_recording', 'this share is being recorded already')

/** Stops a session and has its buffer deleted, now or, if its egress still writes, as soon as that has ended. */
export async function stopByHand(deps: LifecycleDeps, id: string): Promise<Session> {
  const stopped = await deps.db.transaction().execute(async (trx) => {
    const session = await lockSessionOf(trx, { sessionId: id })
    if (!session) throw new AppError('not_found', 'there is no such session')
    if (session.ended_at) {
      await setSession(trx, id, { expires_at: deps.now() })
      await enqueue(trx, 'purge_session', id, { sessionId: id }, { key: `purge:${id}` })
    } else if (session.status === 'stopping') await setSession(trx, id, { ended_reason: 'stopped' })
    else if (session.status === 'refused') {
      await setSession(trx, id, { ended_reason: 'stopped' })
      await endSession(deps, trx, id, 'start_dropped')
    } else await askToStop(trx, session, 'stopped')
    return session
  })
  return (await findSession(deps.db, id)) ?? stopped
}
