import type { Config, Quality } from '../config.ts'
import type { Session } from '../db/schema.ts'
import { AppError } from '../errors.ts'
import { enqueue } from '../job/jobs.ts'
import type { RoomApi } from '../livekit/room-service.ts'
import { ATTRIBUTES, chooseQuality, decideAutoStart } from './auto-start.ts'
import { countLiveSessions, findSession, lockSession, setSession } from './session.repo.ts'
import { askToStop, createSession, type LifecycleDeps } from './share.ts'

export interface ByHandDeps extends LifecycleDeps {
  rooms: RoomApi
  config: LifecycleDeps['config'] & Pick<Config, 'communityMaxSessions'>
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
 * `livekit_unavailable`.
 */
export async function startByHand(deps: ByHandDeps, request: StartRequest): Promise<Session> {
  const participant = await deps.rooms.findParticipant(request.room, request.userId)
  if (!participant?.screenShare) throw new AppError('not_sharing', 'this user is not sharing their screen in this room')
  if (decideAutoStart(deps.config.autoStart, participant, 'api') !== 'record')
    throw new AppError('forbidden', `this participant is not recorded (attribute ${ATTRIBUTES.enabled})`)
  const communityId = request.communityId ?? participant.attributes[ATTRIBUTES.community]
  if (communityId && (await countLiveSessions(deps.db, communityId)) >= deps.config.communityMaxSessions)
    throw new AppError('limit_reached', `the community has its ${deps.config.communityMaxSessions} live buffers`)
  const share = {
    room: request.room,
    roomSid: undefined,
    userId: request.userId,
    participantSid: participant.participantSid,
    trackSid: participant.screenShare.trackSid,
    seenAt: deps.now(),
  }
  const quality = request.quality ?? chooseQuality(participant.attributes, deps.config.quality)
  const id = await deps.db
    .transaction()
    .execute((trx) => createSession(deps, trx, share, 'api', quality, communityId ?? null))
  const session = id === undefined ? undefined : await findSession(deps.db, id)
  if (!session) throw new AppError('already_recording', 'this share is being recorded already')
  return session
}

/** Stops a session and has its buffer deleted, now or, if its egress still writes, as soon as that has ended. */
export async function stopByHand(deps: LifecycleDeps, id: string): Promise<Session> {
  const stopped = await deps.db.transaction().execute(async (trx) => {
    const session = await lockSession(trx, id)
    if (!session) throw new AppError('not_found', 'there is no such session')
    if (session.ended_at) {
      await setSession(trx, id, { expires_at: deps.now() })
      await enqueue(trx, 'purge_session', id, { sessionId: id }, { key: `purge:${id}` })
    } else if (session.status === 'stopping') await setSession(trx, id, { ended_reason: 'stopped' })
    else await askToStop(deps, trx, session, 'stopped')
    return { ...session }
  })
  return (await findSession(deps.db, id)) ?? stopped
}
