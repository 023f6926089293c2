import { v7 as uuidv7 } from 'uuid'
import type { Config, Quality } from '../config.ts'
import type { Now } from '../clock.ts'
import type { Db, Trx } from '../db/connect.ts'
import type { EndedReason, Session } from '../db/schema.ts'
import { dequeue, enqueue } from '../job/jobs.ts'
import {
  findSessionOfTrack,
  lockLiveSession,
  lockUnendedSessionsOfParticipant,
  recordSession,
  recordShareSpan,
  setSession,
  setShareSpansEnded,
  tellSession,
} from './session.repo.ts'
import { nextStatus } from './transition.ts'

/*
 * The share's side of a session: what webhooks and reconcile tell of tracks and people.
 * - A session row exists before its egress is asked for, in the transaction that saw the share.
 * - A share that ended is never taken for one that began, in whatever order the two are told.
 * - A share that goes is given `unshareLingerMs` to come back before its egress is stopped.
 */

export interface LifecycleDeps {
  db: Db
  now: Now
  config: Pick<Config, 'autoStart' | 'egressType' | 'quality' | 'unshareLingerMs' | 'graceMs'>
}

/** A screen share's video track, as LiveKit told of it. */
export interface Share {
  room: string
  roomSid: string | undefined
  userId: string
  participantSid: string
  trackSid: string
  seenAt: Date
}

export type ShareOutcome =
  'session_created' | 'session_continued' | 'already_recording' | 'already_gone' | 'stopped_by_user' | 'auto_start_off'

/** A share is there: gives it a session, or to its session the new track. Repeating it changes nothing. */
export async function shareSeen(deps: LifecycleDeps, trx: Trx, share: Share): Promise<ShareOutcome> {
  if (await hasGone(trx, share)) return 'already_gone'
  const live = await lockLiveSession(trx, share.room, share.userId)
  if (live && live.video_track_sid === share.trackSid && !live.share_ended_at) return 'already_recording'
  if (live?.egress_type === 'participant') {
    await continueSession(trx, live, share)
    return 'session_continued'
  }
  if (deps.config.autoStart === 'off') return 'auto_start_off'
  const before = await findSessionOfTrack(trx, share.trackSid)
  if (before?.ended_reason === 'stopped') return 'stopped_by_user'
  // A track composite egress has the one track that it was given: a new track means a new egress.
  if (live) await askToStop(deps, trx, live, 'replaced')
  const created = await createSession(deps, trx, share, 'webhook', deps.config.quality)
  return created ? 'session_created' : 'already_recording'
}

/** The audio of a share is there; a participant egress takes it up by itself, a track composite must be told. */
export async function shareAudioSeen(trx: Trx, participantSid: string, trackSid: string): Promise<number> {
  const sessions = await lockUnendedSessionsOfParticipant(trx, participantSid)
  for (const session of sessions) await setSession(trx, session.id, { audio_track_sid: trackSid })
  return sessions.length
}

/** A share's video track is gone. Returns how many sessions that concerned: none or one. */
export async function shareGone(
  deps: LifecycleDeps,
  trx: Trx,
  gone: { participantSid: string; trackSid: string; at: Date },
): Promise<number> {
  const sessions = await lockUnendedSessionsOfParticipant(trx, gone.participantSid)
  const concerned = sessions.filter((session) => session.video_track_sid === gone.trackSid)
  for (const session of concerned) await endShare(deps, trx, session, gone.at, 'unshared')
  return concerned.length
}

/**
 * A participant went. Told by sid and not by identity: the same person may be back
 * before this is told (contract section 7).
 */
export async function participantGone(
  deps: LifecycleDeps,
  trx: Trx,
  gone: { participantSid: string; at: Date },
): Promise<number> {
  const sessions = await lockUnendedSessionsOfParticipant(trx, gone.participantSid)
  for (const session of sessions) await endShare(deps, trx, session, gone.at, 'left')
  return sessions.length
}

/** Inserts the row and the job that calls LiveKit. False when the user already has a live session in the room. */
export async function createSession(
  deps: Pick<LifecycleDeps, 'now' | 'config'>,
  trx: Trx,
  share: Share,
  requestedBy: Session['requested_by'],
  quality: Quality,
  communityId: string | null = null,
): Promise<string | undefined> {
  const id = uuidv7()
  const recorded = await recordSession(trx, {
    ...NEW_SESSION,
    id,
    room: share.room,
    room_sid: share.roomSid ?? null,
    user_id: share.userId,
    participant_sid: share.participantSid,
    video_track_sid: share.trackSid,
    community_id: communityId,
    quality,
    egress_type: deps.config.egressType,
    requested_by: requestedBy,
    created_at: deps.now(),
  })
  if (!recorded) return undefined
  await recordShareSpan(trx, { session_id: id, track_sid: share.trackSid, shared_from: share.seenAt })
  await enqueue(trx, 'start_egress', id, { sessionId: id })
  await tellSession(trx, id)
  return id
}

/** The session is to end: its egress is stopped by a job, and `egress_ended` ends it. */
export async function askToStop(
  deps: Pick<LifecycleDeps, 'now'>,
  trx: Trx,
  session: Session,
  reason: EndedReason,
): Promise<void> {
  await setStopping(trx, session, reason)
  await enqueue(trx, 'stop_egress', session.id, { sessionId: session.id }, { key: stopKey(session), runAt: deps.now() })
}

/** From here on the user may have a new session beside it: this one only waits for its last segments. */
export async function setStopping(trx: Trx, session: Session, reason: EndedReason): Promise<void> {
  const status = nextStatus(session.status, 'stop_asked')
  if (status) await setSession(trx, session.id, { status, ended_reason: reason })
}

const NEW_SESSION = {
  username: null,
  audio_track_sid: null,
  egress_id: null,
  status: 'starting',
  ended_reason: null,
  error: null,
  clock_origin: null,
  clock_source: null,
  started_at: null,
  ended_at: null,
  share_ended_at: null,
  expires_at: null,
  purged_at: null,
  node: null,
  start_sent_at: null,
} as const

const stopKey = (session: Session) => `stop:${session.id}`

async function continueSession(trx: Trx, session: Session, share: Share): Promise<void> {
  await setShareSpansEnded(trx, session.id, session.share_ended_at ?? share.seenAt)
  await recordShareSpan(trx, { session_id: session.id, track_sid: share.trackSid, shared_from: share.seenAt })
  await dequeue(trx, stopKey(session))
  await setSession(trx, session.id, {
    participant_sid: share.participantSid,
    video_track_sid: share.trackSid,
    share_ended_at: null,
    ended_reason: null,
  })
}

async function endShare(deps: LifecycleDeps, trx: Trx, session: Session, at: Date, reason: EndedReason) {
  await setShareSpansEnded(trx, session.id, at)
  const runAt = new Date(deps.now().getTime() + deps.config.unshareLingerMs)
  // A person who leaves is told of twice, by the track and by the participant: the linger counts from the first.
  if (!session.share_ended_at && session.status !== 'stopping')
    await enqueue(trx, 'stop_egress', session.id, { sessionId: session.id }, { key: stopKey(session), runAt })
  const known = session.status === 'stopping' ? session.ended_reason : null
  await setSession(trx, session.id, { share_ended_at: session.share_ended_at ?? at, ended_reason: known ?? reason })
}

/** Every webhook that was ever accepted is in the record, so an end that overtook its beginning is known. */
async function hasGone(trx: Trx, share: Share): Promise<boolean> {
  const found = await trx
    .selectFrom('webhook_events')
    .select('id')
    .where((eb) =>
      eb.or([
        eb.and([eb('track_sid', '=', share.trackSid), eb('event', '=', 'track_unpublished')]),
        eb.and([
          eb('participant_sid', '=', share.participantSid),
          eb('event', 'in', ['participant_left', 'participant_connection_aborted']),
        ]),
      ]),
    )
    .limit(1)
    .executeTakeFirst()
  return found !== undefined
}
