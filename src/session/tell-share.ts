import type { Trx } from '../db/connect.ts'
import { askToStart, type LifecycleDeps } from './create-session.ts'
import { lockCurrentSessionsOfParticipant, setSession, setStoppingSharesEnded } from './session.repo.ts'
import {
  findDeparture,
  listUsersSharingIn,
  lockUser,
  recordShare,
  recordShareGone,
  setParticipantGone,
  setRoomGone,
} from './share.repo.ts'
import { followShares, type ShareOutcome } from './share.ts'

/*
 * What webhooks tell of shares: each records what it tells and has the session follow.
 */

/** A screen share's video track, as LiveKit told of it. */
export interface Share {
  room: string
  roomSid: string | undefined
  userId: string
  participantSid: string
  trackSid: string
  /** When it was published, or, if that is not known, seen. */
  at: Date
}

/** A share is there. */
export async function shareSeen(deps: LifecycleDeps, trx: Trx, share: Share): Promise<ShareOutcome | 'already_gone'> {
  await lockUser(trx, share.room, share.userId)
  const departure = await findDeparture(trx, share)
  const gone = departure ? ({ gone_at: departure, gone_reason: 'left' } as const) : NOT_GONE
  const recorded = await recordShare(trx, shareRow(deps, share, gone))
  if (recorded.gone_at) return 'already_gone'
  return followShares(deps, trx, share)
}

/** A share's video track is gone. */
export async function shareGone(deps: LifecycleDeps, trx: Trx, share: Share): Promise<ShareOutcome> {
  await lockUser(trx, share.room, share.userId)
  await recordShareGone(trx, shareRow(deps, share, { gone_at: share.at, gone_reason: 'unshared' }))
  await setStoppingSharesEnded(trx, share.room, share.userId)
  return followShares(deps, trx, share)
}

/**
 * A participant went. Told by sid and not by identity: the same person may be back
 * before this is told (contract section 7).
 */
export async function participantGone(
  deps: LifecycleDeps,
  trx: Trx,
  gone: { room: string; userId: string; participantSid: string; at: Date },
): Promise<ShareOutcome> {
  await lockUser(trx, gone.room, gone.userId)
  if ((await setParticipantGone(trx, gone.participantSid, gone.at)) === 0) return 'nothing_shared'
  await setStoppingSharesEnded(trx, gone.room, gone.userId)
  return followShares(deps, trx, gone)
}

/** A room is over, and with it every share in it; a new one of the same name has another sid. */
export async function roomFinished(
  deps: LifecycleDeps,
  trx: Trx,
  room: { roomSid: string; at: Date },
): Promise<ShareOutcome> {
  const users = await listUsersSharingIn(trx, room.roomSid)
  for (const { room: name, user_id: userId } of users) {
    await lockUser(trx, name, userId)
    await setRoomGone(trx, room.roomSid, userId, room.at)
    await setStoppingSharesEnded(trx, name, userId)
    await followShares(deps, trx, { room: name, userId })
  }
  return users.length > 0 ? 'share_ended' : 'nothing_shared'
}

/**
 * The audio of a share is there: a participant egress takes it up by itself, a track
 * composite waits for it with its start, which now need not wait any longer.
 */
export async function shareAudioSeen(trx: Trx, share: Share): Promise<number> {
  await lockUser(trx, share.room, share.userId)
  const sessions = await lockCurrentSessionsOfParticipant(trx, share.participantSid)
  for (const session of sessions) {
    await setSession(trx, session.id, { audio_track_sid: share.trackSid })
    const waits = session.status === 'starting' && session.egress_type === 'track_composite' && session.attempt < 2
    if (waits && !session.start_sent_at) await askToStart(trx, session.id, 0)
  }
  return sessions.length
}

const NOT_GONE = { gone_at: null, gone_reason: null } as const

function shareRow(
  deps: LifecycleDeps,
  share: Share,
  gone: typeof NOT_GONE | { gone_at: Date; gone_reason: 'unshared' | 'left' },
) {
  return {
    track_sid: share.trackSid,
    room: share.room,
    room_sid: share.roomSid ?? null,
    user_id: share.userId,
    participant_sid: share.participantSid,
    published_at: share.at,
    seen_at: deps.now(),
    ...gone,
  }
}
