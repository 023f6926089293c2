import { AccessToken } from 'livekit-server-sdk'
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { API_KEY, API_SECRET, startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

/*
 * What the page shows in tests and in screenshots: the service beside the demo's simulated
 * LiveKit, and people who share in its room.
 */

export const ROOM = 'stage'

export interface Stage {
  test: TestService
  simulator: Simulator
  /** The video track of each who shares. */
  tracks: ReadonlyMap<string, string>
  sessionIdOf: (identity: string) => Promise<string>
  /** Of what the first of them shares. */
  untilKept: (seconds: number) => Promise<void>
  stop: () => Promise<void>
}

/** Segments are a second long, so that a press lands soon. */
export async function startStage(people: string[], env: Record<string, string> = {}): Promise<Stage> {
  const simulator = await startSimulator({ apiKey: API_KEY, apiSecret: API_SECRET })
  const test = await startTestService({
    livekitUrl: simulator.url,
    // A clock that tests move would make a share look silent.
    withoutTicks: true,
    env: { REPLAY_SEGMENT_DURATION_SECONDS: '1', ...env },
  })
  simulator.setWebhookUrls([`${test.url}/webhooks/livekit`])
  const tracks = new Map<string, string>()
  for (const identity of people) {
    simulator.join(ROOM, { identity, name: `${identity.slice(0, 1).toUpperCase()}${identity.slice(1)}` })
    tracks.set(identity, simulator.publishShare(ROOM, identity).trackSid)
    simulator.publishShareAudio(ROOM, identity)
  }
  const token = await signIn(people[0] ?? '')
  const sessionOf = async (identity: string) => {
    const { body } = await test.call('GET', '/v1/sessions', { token })
    return body.sessions.find(({ userId }: { userId: string }) => userId === identity)
  }
  return {
    test,
    simulator,
    tracks,
    sessionIdOf: async (identity) => (await until('the session', () => sessionOf(identity))).id,
    untilKept: async (seconds) => {
      const isKept = async () => (await sessionOf(people[0] ?? ''))?.coverage.coveredSeconds >= seconds
      await until(`${seconds} s that are kept`, isKept, 20_000 + seconds * 1000)
    },
    async stop() {
      await test.stop()
      await simulator.stop()
    },
  }
}

export async function signIn(identity: string, more: { isAdmin?: boolean; ttl?: number } = {}): Promise<string> {
  const token = new AccessToken(API_KEY, API_SECRET, { identity, ttl: more.ttl ?? 3600 })
  token.addGrant({ room: ROOM, roomJoin: true, roomAdmin: more.isAdmin ?? false })
  return token.toJwt()
}

/** The newest clip, or the newest with this in its title. */
export async function findClip(stage: Stage, token: string, title = '') {
  const query = title === '' ? '' : `?title=${encodeURIComponent(title)}`
  return (await stage.test.call('GET', `/v1/clips${query}`, { token })).body.clips[0]
}

/** The same, once it is ready. */
export async function findReadyClip(stage: Stage, token: string, title = '') {
  const clip = await findClip(stage, token, title)
  return clip?.status === 'ready' ? clip : undefined
}
