import { join } from 'node:path'
import {
  atPath,
  landRecording,
  readCalls,
  readWebhooks,
  startTwirpStub,
  type Landing,
  type RecordingName,
} from './recording.ts'
import { startTestService, type TestService, type TestServiceOptions } from './service.ts'
import { until } from './until.ts'

export interface RecordedShare extends TestService {
  sessionId: string
  directory: string
  room: string
  /** Wall clock of media time 0, as LiveKit said. */
  startedAtMs: number
  /** Lands more of the recording's segments, as egress did. */
  land(landing?: Landing): Promise<void>
  /** Delivers the recorded webhooks of these names, each with the session's path in it. */
  tell(...events: string[]): Promise<void>
  /** Makes the service's clock show this instant now. */
  setClock(ms: number): void
}

export const ROOM = 'stage-1'
export const USER = 'alice'

interface TrackFacts {
  sid: string
  source: string
}

/**
 * A service whose session records what was recorded: the share was seen, the egress was
 * started and is active, the rest is for the test to tell and land.
 */
export async function startRecordedShare(
  name: RecordingName = 'participant-stopped',
  options: Omit<TestServiceOptions, 'livekitUrl'> = {},
): Promise<RecordedShare> {
  const webhooks = await readWebhooks(name)
  const calls = await readCalls(name)
  const answer = (method: string) => calls.find((call) => call.path.endsWith(`/${method}`))
  const published = webhooks.find(({ event, body }) => event === 'track_published' && body.includes('"SCREEN_SHARE"'))
  if (!published) throw new Error('the recording has no share')
  const fact = JSON.parse(published.body) as { participant: { sid: string; identity: string }; track: TrackFacts }
  const person = {
    sid: fact.participant.sid,
    identity: fact.participant.identity,
    name: 'Alice',
    attributes: {},
    tracks: [fact.track],
  }
  let sessionId = ''
  // What was told is so: once the share was unpublished, LiveKit does not show it any more.
  const told = new Set<string>()
  const present = () => ({ ...person, tracks: told.has('track_unpublished') ? [] : person.tracks })
  const livekit = await startTwirpStub({
    GetParticipant: () => ({ body: present() }),
    ListParticipants: () => ({ body: { participants: [present()] } }),
    ListRooms: () => ({ body: { rooms: [] } }),
    // Silence on the running egress: the clock that tests move must not make it look dead.
    ListEgress: () => (sessionId ? { status: 503, body: { code: 'unavailable', msg: '' } } : { body: { items: [] } }),
    StopEgress: () => ({ body: here(answer('StopEgress')?.response ?? '') }),
    StartParticipantEgress: (request) => ({ body: start('StartParticipantEgress', request) }),
    StartTrackCompositeEgress: (request) => ({ body: start('StartTrackCompositeEgress', request) }),
  })
  const start = (method: string, request: Record<string, unknown>) => {
    const outputs = (request['segmentOutputs'] ?? request['segment_outputs']) as { filenamePrefix: string }[]
    sessionId = outputs[0]?.filenamePrefix.split('/').at(-2) ?? ''
    return here(answer(method)?.response ?? '')
  }
  const config = {
    ...options.config,
    egressType: name === 'track-composite-ended' ? 'track_composite' : 'participant',
  } as const
  const test = await startTestService({ ...options, config, livekitUrl: livekit.url, withoutTicks: true })
  const here = (text: string) => atPath(name, text, test.config.egressPath, sessionId)
  const startedAtMs = startedAt(webhooks.map(({ body }) => body))
  const stopService = test.stop
  const share: RecordedShare = Object.assign(test, {
    sessionId,
    directory: '',
    room: ROOM,
    startedAtMs,
    land: (landing?: Landing) => landRecording(name, share.directory, landing),
    setClock: (ms: number) => {
      test.clock.offsetMs = ms - Date.now()
    },
    async tell(...events: string[]) {
      for (const event of events) told.add(event)
      for (const { body, event } of webhooks) if (events.includes(event)) await test.deliver(here(body))
    },
    async stop() {
      await stopService()
      await livekit.stop()
    },
  })
  share.setClock(published.at)
  await test.deliver(published.body)
  share.sessionId = await until('the start call', () => sessionId || undefined)
  share.directory = join(test.config.bufferPath, share.sessionId)
  await share.tell('egress_started', 'egress_updated')
  return share
}

/** From the ACTIVE webhook. */
function startedAt(bodies: string[]): number {
  for (const body of bodies) {
    const event = JSON.parse(body) as { egressInfo?: { segmentResults?: { startedAt?: string }[] } }
    const ns = event.egressInfo?.segmentResults?.[0]?.startedAt
    if (ns !== undefined && ns !== '0') return Number(BigInt(ns) / 1_000_000n)
  }
  throw new Error('the recording never became active')
}
