import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { v7 as uuidv7 } from 'uuid'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import type { EgressApi } from '../livekit/egress.ts'
import type { ProbeRooms } from '../livekit/probe-room.ts'
import { fail, messageOf, ok, type Finding } from './finding.ts'

export interface ProbeDeps {
  config: Pick<Config, 'quality' | 'segmentDurationSeconds'>
  egress: Pick<EgressApi, 'start' | 'stop'>
  rooms: ProbeRooms
  /** The service's database, in which what LiveKit told it is kept. Undefined if it cannot be asked. */
  database: pg.Client | undefined
  webhookLimitMs: number
}

/** LiveKit tells of a room within 60 ms, and tries again for 15 s (contract sections 6 and 9). */
export const WEBHOOK_LIMIT_MS = 8000
const LOOK_MS = 200

/**
 * Tries it for real: makes a room in which nobody is, waits for LiveKit to tell the
 * service of it, asks for a recording of nobody, which a worker takes or none does, and
 * takes all of it back. Nothing is written.
 */
export async function probe(deps: ProbeDeps): Promise<Finding[]> {
  const room = `replay-doctor-${uuidv7().slice(-12)}`
  try {
    await deps.rooms.create(room)
  } catch (error) {
    const why = messageOf(error instanceof AppError ? error.cause : error)
    return [fail('probe', `LiveKit makes no room: ${why}`, 'see what is said of livekit above')]
  }
  try {
    const webhook = deps.database ? [await awaitWebhook(deps.database, room, deps.webhookLimitMs)] : []
    return [...webhook, await startRecording(deps, room)]
  } finally {
    await deps.rooms.delete(room).catch(() => undefined)
  }
}

async function awaitWebhook(database: pg.Client, room: string, limitMs: number): Promise<Finding> {
  const startedAt = performance.now()
  while (performance.now() - startedAt < limitMs) {
    const { rows } = await database.query('select 1 from webhook_events where room = $1', [room])
    const tookMs = Math.round(performance.now() - startedAt)
    if (rows.length > 0) return ok('probe webhook', `LiveKit told the service of a new room within ${tookMs} ms`)
    await pause(LOOK_MS)
  }
  const todo =
    'webhook.urls in livekit.yaml must name this service by a name and port that the LiveKit server reaches, and webhook.api_key our key; ' +
    'its log says what it was answered'
  return fail('probe webhook', `LiveKit made a room and the service did not hear of it in ${limitMs / 1000} s`, todo)
}

async function startRecording({ egress, config }: ProbeDeps, room: string): Promise<Finding> {
  const { quality, segmentDurationSeconds } = config
  const nobody = { identity: 'nobody', videoTrackSid: '', audioTrackSid: undefined }
  const startedAt = performance.now()
  try {
    const request = {
      sessionId: uuidv7(),
      type: 'participant' as const,
      room,
      ...nobody,
      quality,
      segmentDurationSeconds,
    }
    const { egressId } = await egress.start(request)
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    await egress.stop(egressId).catch(() => undefined)
    return ok('probe egress', `a worker took a recording in ${seconds} s, and was told to stop it`)
  } catch (error) {
    const why = messageOf(error instanceof AppError ? error.cause : error)
    const todo =
      'no egress worker is there or none has a free core: is the container running, and on the same Redis as LiveKit?'
    return fail('probe egress', `no worker took a recording: ${why}`, todo)
  }
}
