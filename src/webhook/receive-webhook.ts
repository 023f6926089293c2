import type { Trx } from '../db/connect.ts'
import type { LivekitEvent, ReceiveWebhook } from '../livekit/webhook-event.ts'
import type { Log } from '../log.ts'
import { applyEgressFacts } from '../session/lifecycle.ts'
import { participantGone, shareAudioSeen, shareGone, shareSeen, type LifecycleDeps } from '../session/share.ts'

/*
 * LiveKit's door.
 * - Only what the signature covers is read: the raw bytes, through the receiver.
 * - The event and its effect are committed together, and only then is it answered.
 * - The event's id is the primary key of the record: a repeated one changes nothing.
 */

export interface WebhookDeps extends LifecycleDeps {
  log: Log
  receive: ReceiveWebhook
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
  const effect = await deps.db.transaction().execute(async (trx) => {
    if (!(await recordEvent(deps, trx, event))) return 'duplicate'
    const done = await act(deps, trx, event)
    await trx.updateTable('webhook_events').set({ effect: done }).where('id', '=', event.id).execute()
    return done
  })
  const fields = { event: event.event, id: event.id, effect, room: event.room?.name, user: event.participant?.identity }
  deps.log[effect === 'ignored' || effect === 'duplicate' ? 'debug' : 'info']('webhook received', fields)
  return { event: event.event, effect }
}

async function recordEvent(deps: WebhookDeps, trx: Trx, event: LivekitEvent): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('webhook_events')
    .values({
      id: event.id,
      event: event.event,
      room: event.room?.name || event.egress?.room || null,
      room_sid: event.room?.sid ?? null,
      participant_sid: event.participant?.sid ?? null,
      track_sid: event.track?.sid ?? null,
      body: JSON.stringify(event.body),
      received_at: deps.now(),
      effect: 'ignored',
    })
    .onConflict((oc) => oc.column('id').doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

async function act(deps: WebhookDeps, trx: Trx, event: LivekitEvent): Promise<string> {
  switch (event.event) {
    case 'track_published':
      return trackPublished(deps, trx, event)
    case 'track_unpublished':
      return trackUnpublished(deps, trx, event)
    case 'participant_left':
    case 'participant_connection_aborted': {
      if (!event.participant?.isPerson) return 'ignored'
      const gone = await participantGone(deps, trx, {
        participantSid: event.participant.sid,
        at: happenedAt(deps, event),
      })
      return gone > 0 ? 'share_ended' : 'ignored'
    }
    case 'egress_started':
    case 'egress_updated':
    case 'egress_ended':
      return egressChanged(deps, trx, event)
    default:
      return 'ignored'
  }
}

async function trackPublished(deps: WebhookDeps, trx: Trx, event: LivekitEvent): Promise<string> {
  const { room, participant, track } = event
  if (!room || !participant?.isPerson || !track) return 'ignored'
  if (track.source === 'screen_share_audio')
    return (await shareAudioSeen(trx, participant.sid, track.sid)) > 0 ? 'audio_noted' : 'ignored'
  if (track.source !== 'screen_share') return 'ignored'
  return shareSeen(deps, trx, {
    room: room.name,
    roomSid: room.sid,
    userId: participant.identity,
    participantSid: participant.sid,
    trackSid: track.sid,
    seenAt: happenedAt(deps, event),
  })
}

async function trackUnpublished(deps: WebhookDeps, trx: Trx, event: LivekitEvent): Promise<string> {
  const { participant, track } = event
  if (!participant || track?.source !== 'screen_share') return 'ignored'
  const gone = { participantSid: participant.sid, trackSid: track.sid, at: happenedAt(deps, event) }
  return (await shareGone(deps, trx, gone)) > 0 ? 'share_ended' : 'ignored'
}

async function egressChanged(deps: WebhookDeps, trx: Trx, event: LivekitEvent): Promise<string> {
  if (!event.egress?.sessionId) return 'ignored'
  const result = await applyEgressFacts(deps, trx, event.egress)
  if (result.outcome !== 'moved') return result.outcome
  return `${result.from}_to_${result.status}`
}

/** It arrived now, but a delivery that was tried again is late: `createdAt` is exact to its second only. */
function happenedAt(deps: WebhookDeps, event: LivekitEvent): Date {
  return new Date(Math.min(deps.now().getTime(), event.createdAt.getTime() + 999))
}
