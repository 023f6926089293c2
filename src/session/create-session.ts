import { v7 as uuidv7 } from 'uuid'
import type { Config, Quality } from '../config.ts'
import type { Now } from '../clock.ts'
import type { Db, Trx } from '../db/connect.ts'
import type { EndedReason, Session, ShareRow } from '../db/schema.ts'
import { enqueue } from '../job/jobs.ts'
import { recordSession, recordShareSpan, setSession, tellSession } from './session.repo.ts'
import { nextStatus } from './transition.ts'

export interface LifecycleDeps {
  db: Db
  now: Now
  config: Pick<Config, 'autoStart' | 'egressType' | 'quality' | 'unshareLingerMs' | 'graceMs'>
}

export interface SessionWish {
  requestedBy: Session['requested_by']
  quality: Quality
  communityId: string | null
  attempt: number
  pauseMs: number
}

/** A share's audio track is published slightly after its video; a track composite egress must be told of both. */
const AUDIO_WAIT_MS = 2000

/** Inserts the row and the job that calls LiveKit. Undefined when the user already has a session in the room. */
export async function createSession(
  deps: Pick<LifecycleDeps, 'now' | 'config'>,
  trx: Trx,
  share: ShareRow,
  wish: SessionWish,
): Promise<string | undefined> {
  const id = uuidv7()
  const recorded = await recordSession(trx, {
    ...NEW_SESSION,
    id,
    room: share.room,
    room_sid: share.room_sid,
    user_id: share.user_id,
    participant_sid: share.participant_sid,
    video_track_sid: share.track_sid,
    community_id: wish.communityId,
    quality: wish.quality,
    egress_type: deps.config.egressType,
    requested_by: wish.requestedBy,
    attempt: wish.attempt,
    created_at: deps.now(),
  })
  if (!recorded) return undefined
  await recordShareSpan(trx, { session_id: id, track_sid: share.track_sid, shared_from: share.published_at })
  const audioWaitMs = deps.config.egressType === 'track_composite' ? AUDIO_WAIT_MS : 0
  await askToStart(trx, id, Math.max(wish.pauseMs, audioWaitMs))
  await tellSession(trx, id)
  return id
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

/** Asks for the session's egress, after a pause. Asked again before that, the latest pause counts. */
export async function askToStart(db: Db, sessionId: string, pauseMs: number, tries = 0): Promise<void> {
  const payload = tries === 0 ? { sessionId } : { sessionId, tries }
  await enqueue(db, 'start_egress', sessionId, payload, { key: startKey(sessionId), inMs: pauseMs })
}

/** The session is to end: its egress is stopped by a job, and `egress_ended` ends it. */
export async function askToStop(trx: Trx, session: Session, reason: EndedReason): Promise<void> {
  await setStopping(trx, session, reason)
  await enqueueStop(trx, session.id, 0)
}

/** After the pause the session's egress is stopped, unless its share is back by then. */
export async function enqueueStop(db: Db, sessionId: string, pauseMs: number, tries = 0): Promise<void> {
  const payload = tries === 0 ? { sessionId } : { sessionId, tries }
  await enqueue(db, 'stop_egress', sessionId, payload, { key: stopKey(sessionId), inMs: pauseMs })
}

export const startKey = (sessionId: string) => `start:${sessionId}`
export const stopKey = (sessionId: string) => `stop:${sessionId}`

/** From here on the user may have a new session beside it: this one only waits for its last segments. */
export async function setStopping(trx: Trx, session: Session, reason: EndedReason): Promise<void> {
  const status = nextStatus(session.status, 'stop_asked')
  if (status) await setSession(trx, session.id, { status, ended_reason: reason })
}
