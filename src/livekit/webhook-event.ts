import { ParticipantInfo_Kind, TrackSource } from '@livekit/protocol'
import { WebhookEvent, WebhookReceiver, type TokenVerifier } from 'livekit-server-sdk'
import { AppError } from '../errors.ts'
import { createVerifiers, unverifiedClaims, type ApiKey } from './access-token.ts'
import { instantAt, instantOf } from './instant.ts'
import { readEgressInfo, type EgressFacts } from './egress-facts.ts'

/** A verified webhook, reduced to what this project acts on. */
export interface LivekitEvent {
  id: string
  /** LiveKit's own name of it; one that we do not know is no error. */
  event: string
  /** LiveKit's clock, whole seconds. */
  createdAt: Date
  room: { name: string; sid: string } | undefined
  participant: { identity: string; sid: string; isPerson: boolean } | undefined
  track:
    { sid: string; source: 'screen_share' | 'screen_share_audio' | 'other'; changedAt: Date | undefined } | undefined
  egress: EgressFacts | undefined
  /** The whole body without secrets, for the record. */
  body: Record<string, unknown>
}

export type ReceiveWebhook = (rawBody: string, authorization: string | undefined) => Promise<LivekitEvent>

/**
 * Verifies a webhook's signature over its raw bytes (contract section 6), by whichever of
 * the keys it names, and reads it. Throws `bad_signature`, or `invalid_request` for a
 * signed body that is no webhook.
 */
export function createWebhookReceiver(livekit: { keys: ApiKey[] }, egressPath: string): ReceiveWebhook {
  const verifiers = createVerifiers(livekit.keys)
  const receivers = new Map(
    livekit.keys.map(({ apiKey, apiSecret }) => [apiKey, new WebhookReceiver(apiKey, apiSecret)]),
  )
  return async (rawBody, authorization) => {
    const issuer = issuerOf(authorization)
    const receiver = receivers.get(issuer)
    if (!receiver) throw new AppError('bad_signature', 'the Authorization header names no API key that is in use here')
    const event = await receiver.receive(rawBody, authorization).catch(async (cause: unknown) => {
      const signed = await isSignedBy(verifiers.get(issuer), authorization)
      if (signed && !decodes(rawBody))
        throw new AppError('invalid_request', 'the body is no LiveKit webhook', { cause })
      throw new AppError('bad_signature', 'the Authorization header does not sign this body', { cause })
    })
    return readEvent(event, egressPath)
  }
}

function issuerOf(token: string | undefined): string {
  try {
    return unverifiedClaims(token ?? '').issuer
  } catch {
    return ''
  }
}

async function isSignedBy(verifier: TokenVerifier | undefined, token = ''): Promise<boolean> {
  return (verifier?.verify(token) ?? Promise.reject(new Error('no key'))).then(
    () => true,
    () => false,
  )
}

function decodes(rawBody: string): boolean {
  try {
    WebhookEvent.fromJson(JSON.parse(rawBody), { ignoreUnknownFields: true })
    return true
  } catch {
    return false
  }
}

const SOURCES: Partial<Record<TrackSource, 'screen_share' | 'screen_share_audio'>> = {
  [TrackSource.SCREEN_SHARE]: 'screen_share',
  [TrackSource.SCREEN_SHARE_AUDIO]: 'screen_share_audio',
}

function readEvent(event: WebhookEvent, egressPath: string): LivekitEvent {
  const { room, participant, track, egressInfo } = event
  if (!event.id) throw new AppError('invalid_request', 'the webhook has no id')
  const createdAt = instantAt(Number(event.createdAt) * 1000)
  if (!createdAt) throw new AppError('invalid_request', 'the webhook was made at no time that there is')
  const names = [event.id, event.event, room?.name, room?.sid, participant?.identity, participant?.sid, track?.sid]
  // Postgres takes no NUL in a text.
  if (names.some((name) => name?.includes('\0')))
    throw new AppError('invalid_request', 'a name in the webhook holds NUL')
  return {
    id: event.id,
    event: event.event,
    createdAt,
    room: room && { name: room.name, sid: room.sid },
    participant: participant && {
      identity: participant.identity,
      sid: participant.sid,
      isPerson: participant.kind === ParticipantInfo_Kind.STANDARD,
    },
    track: track && { sid: track.sid, source: SOURCES[track.source] ?? 'other', changedAt: instantOf(track.version) },
    egress: egressInfo && readEgressInfo(egressInfo, egressPath, event.event === 'egress_ended'),
    body: keepable(toJson(event)) as Record<string, unknown>,
  }
}

/** What was read may be no whole message all the same: a field of a message's kind that holds nothing. */
function toJson(event: WebhookEvent): unknown {
  try {
    return event.toJson()
  } catch (cause) {
    throw new AppError('invalid_request', 'the body is no LiveKit webhook', { cause })
  }
}

const SECRET_KEY = /password|secret|token|signing_?key/i

/** Without secrets (`turnPassword` comes with every full room object, contract section 9), and without what jsonb refuses. */
function keepable(value: unknown): unknown {
  if (typeof value === 'string') return writable(value)
  if (Array.isArray(value)) return value.map(keepable)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key]) => !SECRET_KEY.test(key))
  return Object.fromEntries(kept.map(([key, inner]) => [writable(key), keepable(inner)]))
}

const writable = (text: string) => text.toWellFormed().replaceAll('\0', '\ufffd')
