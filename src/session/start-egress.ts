import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../config.ts'
import type { Session } from '../db/schema.ts'
import type { EgressApi } from '../livekit/egress.ts'
import type { Participant, RoomApi } from '../livekit/room-service.ts'
import type { Log } from '../log.ts'
import { ATTRIBUTES, chooseQuality, decideAutoStart } from './auto-start.ts'
import { applyEgressFacts, endSession } from './lifecycle.ts'
import { countLiveSessions, deleteSession, findSession, setSession } from './session.repo.ts'
import type { LifecycleDeps } from './share.ts'

export interface StartDeps extends LifecycleDeps {
  log: Log
  rooms: RoomApi
  egress: EgressApi
  config: LifecycleDeps['config'] & Pick<Config, 'segmentDurationSeconds' | 'communityMaxSessions'>
}

/** A share's audio track is published slightly after its video; a track composite egress must be told of both. */
const AUDIO_WAIT_MS = 2000
const AUDIO_POLL_MS = 250

/**
 * The job `start_egress`. LiveKit is asked first whether the share is still there and
 * wanted; an egress whose start answer was lost is found by its path and taken over.
 */
export async function startEgress(deps: StartDeps, { sessionId }: { sessionId: string }): Promise<string> {
  const session = await findSession(deps.db, sessionId)
  if (session?.status !== 'starting' || session.egress_id) return 'not_needed'
  const participant = await deps.rooms.findParticipant(session.room, session.user_id)
  if (!participant?.screenShare) return dropStart(deps, session)
  const decision = decideAutoStart(deps.config.autoStart, participant, session.requested_by)
  if (decision !== 'record') return declineStart(deps, session, decision)
  if (await isOverLimit(deps, session, participant)) return refuseStart(deps, session)

  const running = (await deps.egress.listActive(session.room)).find((facts) => facts.sessionId === session.id)
  if (!running) await rememberParticipant(deps, session, participant)
  const facts = running ?? (await deps.egress.start(await egressRequest(deps, session, participant)))
  await deps.db.transaction().execute((trx) => applyEgressFacts(deps, trx, facts))
  deps.log.info('egress started', { sessionId, egressId: facts.egressId, room: session.room, user: session.user_id })
  return running ? 'adopted' : 'started'
}

async function egressRequest(deps: StartDeps, session: Session, participant: Participant) {
  const audio = session.egress_type === 'track_composite' ? await awaitAudio(deps, session, participant) : participant
  return {
    sessionId: session.id,
    type: session.egress_type,
    room: session.room,
    identity: session.user_id,
    videoTrackSid: participant.screenShare?.trackSid ?? '',
    audioTrackSid: audio.screenShareAudio?.trackSid,
    quality: chooseQuality(participant.attributes, session.quality),
    segmentDurationSeconds: deps.config.segmentDurationSeconds,
  }
}

async function awaitAudio(deps: StartDeps, session: Session, participant: Participant): Promise<Participant> {
  const deadline = session.created_at.getTime() + AUDIO_WAIT_MS
  let latest = participant
  while (!latest.screenShareAudio && deps.now().getTime() < deadline) {
    await pause(AUDIO_POLL_MS)
    latest = (await deps.rooms.findParticipant(session.room, session.user_id)) ?? latest
  }
  return latest
}

async function rememberParticipant(deps: StartDeps, session: Session, participant: Participant): Promise<void> {
  await deps.db.transaction().execute((trx) =>
    setSession(trx, session.id, {
      username: participant.name ?? null,
      participant_sid: participant.participantSid,
      video_track_sid: participant.screenShare?.trackSid ?? null,
      audio_track_sid: participant.screenShareAudio?.trackSid ?? null,
      community_id: session.community_id ?? participant.attributes[ATTRIBUTES.community] ?? null,
      quality: chooseQuality(participant.attributes, session.quality),
    }),
  )
}

/** The share went before anything was recorded of it. */
export async function dropStart(deps: LifecycleDeps & { log: Log }, session: Session): Promise<string> {
  await deps.db.transaction().execute((trx) => endSession(deps, trx, session.id, 'start_dropped'))
  deps.log.info('start dropped, the share is gone', { sessionId: session.id, room: session.room })
  return 'share_gone'
}

/** Nothing is kept of somebody who does not want to be recorded, not even that they shared. */
async function declineStart(deps: StartDeps, session: Session, decision: string): Promise<string> {
  await deps.db.transaction().execute((trx) => deleteSession(trx, session.id))
  deps.log.info('share not recorded', { sessionId: session.id, room: session.room, why: decision })
  return decision
}

async function isOverLimit(deps: StartDeps, session: Session, participant: Participant): Promise<boolean> {
  const community = session.community_id ?? participant.attributes[ATTRIBUTES.community]
  if (!community) return false
  const live = await countLiveSessions(deps.db, community)
  return live - (session.community_id ? 1 : 0) >= deps.config.communityMaxSessions
}

async function refuseStart(deps: StartDeps, session: Session): Promise<string> {
  const limit = deps.config.communityMaxSessions
  await deps.db.transaction().execute(async (trx) => {
    await setSession(trx, session.id, { ended_reason: 'limit' })
    await endSession(deps, trx, session.id, 'start_dropped')
    await setSession(trx, session.id, { error: `the community has its ${limit} live buffers` })
  })
  deps.log.warn('share not recorded', { sessionId: session.id, room: session.room, why: 'limit_reached', limit })
  return 'limit_reached'
}
