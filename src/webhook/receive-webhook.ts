import type { Trx } from '../db/connect.ts'
import type { LivekitEvent, ReceiveWebhook } from '../livekit/webhook-event.ts'
import type { Log } from '../log.ts'
import { applyEgressFacts } from '../session/lifecycle.ts'
import type { LifecycleDeps } from '../session/create-session.ts'
import {
  participantGone,
  roomFinished,
  shareAudioSeen,
  shareGone,
  shareSeen,
  type Share,
} from '../session/tell-share.ts'
import { recordEvents, roomOf, type RecordEvent } from './record-event.ts'

/*
 * LiveKit's door.
 * - Only what the signature covers is read: the raw bytes, through the receiver.
 * - The event and its effect are committed together, and only then is it answered.
 * - The event's id is the primary key of the record: a repeated one changes nothing.
 */

export interface WebhookDeps extends LifecycleDeps {
  log: Log
  receive: ReceiveWebhook
  recordEvent: RecordEvent
}

export interface WebhookOutcome {
  event: string
  /** `duplicate`, `ignored`, or what the event did. */
  effect: string
}

/** Verifies, records and acts on one delivery. Throws `bad_signature`, `invalid_request`, or as the database does. */
export async function receiveWebhook(
  deps: WebhookDeps,
  rawBody: string,
  authorization: string | undefined,
): Promise<WebhookOutcome> {
  const event = await deps.receive(rawBody, authorization)
  const effect = concernsUs(event) ? await recordAndAct(deps, event) : await recordOnly(deps, event)
  const fields = { event: event.event, id: event.id, effect, room: roomOf(event), user: event.participant?.identity }
  deps.log[QUIET.has(effect) ? 'debug' : 'info']('webhook received', fields)
  return { event: event.event, effect }
}

const QUIET = new Set(['ignored', 'duplicate', 'nothing_shared', 'already_past'])

/** Most of what a busy LiveKit tells (people, cameras, microphones, rooms that begin) changes nothing here. */
function concernsUs({ event, participant, track, egress, room }: LivekitEvent): boolean {
  switch (event) {
    case 'track_published':
      return participant?.isPerson === true && track !== undefined && track.source !== 'other'
    case 'track_unpublished':
      return participant?.isPerson === true && track?.source === 'screen_share'
    case 'participant_left':
    case 'participant_connection_aborted':
      return participant?.isPerson === true
    case 'room_finished':
      return room !== undefined
    case 'egress_started':
    case 'egress_updated':
    case 'egress_ended':
      return egress?.sessionId !== undefined
    default:
      return false
  }
}

async function recordOnly(deps: WebhookDeps, event: LivekitEvent): Promise<string> {
  const isNew = await deps.recordEvent({ event, receivedAt: deps.now(), effect: 'ignored' })
  return isNew ? 'ignored' : 'duplicate'
}

async function recordAndAct(deps: WebhookDeps, event: LivekitEvent): Promise<string> {
  return deps.db.transaction().execute(async (trx) => {
    const expected = usualEffect(event)
    const [isNew] = await recordEvents(trx, [{ event, receivedAt: deps.now(), effect: expected }])
    if (isNew !== true) return 'duplicate'
    const effect = await act(deps, trx, event)
    if (effect !== expected)
      await trx.updateTable('webhook_events').set({ effect }).where('id', '=', event.id).execute()
    return effect
  })
}

/** What most such events do: then the record need not be written twice. */
function usualEffect({ event }: LivekitEvent): string {
  if (event === 'track_published') return 'session_created'
  return event === 'track_unpublished' ? 'share_ended' : 'nothing_shared'
}

async function act(deps: WebhookDeps, trx: Trx, event: LivekitEvent): Promise<string> {
  switch (event.event) {
    case 'track_published':
      return trackPublished(deps, trx, event)
    case 'track_unpublished':
      return trackUnpublished(deps, trx, event)
    case 'participant_left':
    case 'participant_connection_aborted':
      return participantLeft(deps, trx, event)
    case 'room_finished':
      return event.room ? roomFinished(deps, trx, { roomSid: event.room.sid, at: happenedAt(deps, event) }) : 'ignored'
    default:
      return egressChanged(deps, trx, event)
  }
}

async function trackPublished(deps: WebhookDeps, trx: Trx, event: LivekitEvent): Promise<string> {
  const share = shareOf(event, event.track?.changedAt ?? happenedAt(deps, event))
  if (!share) return 'ignored'
  if (event.track?.source === 'screen_share') return shareSeen(deps, trx, share)
  return (await shareAudioSeen(trx, share)) > 0 ? 'audio_noted' : 'ignored'
}

async function trackUnpublished(deps: WebhookDeps, trx: Trx, event: LivekitEvent): Promise<string> {
  const share = shareOf(event, happenedAt(deps, event))
  return share ? shareGone(deps, trx, share) : 'ignored'
}

function shareOf({ room, participant, track }: LivekitEvent, at: Date): Share | undefined {
  if (!room || !participant || !track) return undefined
  return {
    room: room.name,
    roomSid: room.sid,
    userId: participant.identity,
    participantSid: participant.sid,
    trackSid: track.sid,
    at,
  }
}

async function participantLeft(deps: WebhookDeps, trx: Trx, event: LivekitEvent): Promise<string> {
  const { room, participant } = event
  if (!room || !participant) return 'ignored'
  return participantGone(deps, trx, {
    room: room.name,
    userId: participant.identity,
    participantSid: participant.sid,
    at: happenedAt(deps, event),
  })
}

async function egressChanged(deps: WebhookDeps, trx: Trx, event: LivekitEvent): Promise<string> {
  if (!event.egress) return 'ignored'
  const result = await applyEgressFacts(deps, trx, event.egress)
  return result.outcome === 'moved' ? `${result.from}_to_${result.status}` : result.outcome
}

/** It arrived now, but a delivery that was tried again is late: `createdAt` is exact to its second only. */
function happenedAt(deps: WebhookDeps, event: LivekitEvent): Date {
  return new Date(Math.min(deps.now().getTime(), event.createdAt.getTime() + 999))
}
