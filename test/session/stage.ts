import type { WebhookEvent } from '@livekit/protocol'
import type { Session } from '../../src/db/schema.ts'
import type { Chance, Faults } from '../../src/simulator/faults.ts'
import { startSimulator, type EgressSnapshot, type Simulator } from '../../src/simulator/simulator.ts'
import type { Timing } from '../../src/simulator/timing.ts'
import { startStillWriter } from '../simulator/still-writer.ts'
import { API_KEY, API_SECRET, startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

/** A LiveKit that takes a hundredth of its time, except that segments are a second long. */
export const QUICK: Partial<Timing> = {
  egressStartDelayMs: 10,
  startAnswerMs: 5,
  joinMs: 5,
  firstPacketMs: 10,
  activeMs: 10,
  programDateTimeOffsetMs: 20,
  landingLagMs: 20,
  endedMs: 5,
  switchMs: 10,
  startSignalMs: 50,
  stopUnansweredMs: 30,
  stopStartingMs: 10,
  startUnansweredMs: 30,
  connectionTimeoutMs: 50,
  roomFinishedMs: 50,
  webhookDelayMs: 1,
  webhookRetryScale: 0.02,
}

export const LINGER_MS = 700

export interface Stage extends TestService {
  simulator: Simulator
  /** A room of its own on this stage, with alice in it. */
  scene: (room: string, options?: SceneOptions) => Scene
}

export interface SceneOptions {
  attributes?: Record<string, string>
}

export interface StageOptions {
  timing?: Partial<Timing>
  env?: Record<string, string>
  faults?: Partial<Faults>
  /** Schedules run only when the test runs them. */
  withoutTicks?: boolean
}

type ChanceOf = 'loseWebhook' | 'doubleWebhook' | 'lateWebhook' | 'reorderWebhook'

/** A service beside a simulated LiveKit that writes segments without an encoder. */
export async function startStage({ timing, env, faults, withoutTicks = false }: StageOptions = {}): Promise<Stage> {
  const simulator = await startSimulator({
    apiKey: API_KEY,
    apiSecret: API_SECRET,
    startWriter: startStillWriter,
    timing: { ...QUICK, ...timing },
    faults: faults ?? {},
  })
  const test = await startTestService({
    livekitUrl: simulator.url,
    env: { REPLAY_SEGMENT_DURATION_SECONDS: '1', ...env },
    config: { unshareLingerMs: LINGER_MS },
    withoutTicks,
  })
  simulator.setWebhookUrls([`${test.url}/webhooks/livekit`])
  const stopService = test.stop
  const restartService = test.restart
  const stage: Stage = Object.assign(test, {
    simulator,
    scene: (room: string, options: SceneOptions = {}) => createScene(stage, room, options),
    async stop() {
      await simulator.stop()
      await stopService()
    },
    async restart() {
      await restartService()
      simulator.setWebhookUrls([`${test.url}/webhooks/livekit`])
    },
  })
  return stage
}

/** What happens in one room, and what is to be seen of it. */
export interface Scene {
  room: string
  stage: Stage
  join: (identity?: string, attributes?: Record<string, string>) => void
  share: (identity?: string) => string
  unshare: (trackSid: string, identity?: string) => void
  leave: (identity?: string) => void
  /** From now on these webhooks of this room are lost, doubled, late or reordered. */
  strike: (fault: ChanceOf, which: (event: WebhookEvent) => boolean) => void
  /** All sessions of the room that there ever were, the oldest first. */
  sessions: () => Promise<Session[]>
  /** The room's egresses that really run. */
  running: () => EgressSnapshot[]
  /** Waits until exactly one session is active, with its own and only egress running, and something has landed. */
  recording: () => Promise<Session>
  /** Waits until no session and no egress runs. */
  quiet: () => Promise<Session[]>
}

const RUNS = new Set(['EGRESS_STARTING', 'EGRESS_ACTIVE', 'EGRESS_ENDING'])

const roomOf = (event: WebhookEvent) => event.room?.name || event.egressInfo?.roomName

function createScene(stage: Stage, room: string, { attributes = {} }: SceneOptions): Scene {
  const { simulator } = stage
  const scene: Scene = {
    room,
    stage,
    join: (identity = 'alice', own = attributes) => void simulator.join(room, { identity, attributes: own }),
    share: (identity = 'alice') => simulator.publishShare(room, identity).trackSid,
    unshare: (trackSid, identity = 'alice') => simulator.unpublish(room, identity, trackSid),
    leave: (identity = 'alice') => simulator.leave(room, identity),
    strike(fault, which) {
      const others: Chance = simulator.faults[fault]
      simulator.faults[fault] = (event) =>
        roomOf(event) === room ? which(event) : typeof others === 'function' && others(event)
    },
    sessions: () =>
      stage.service.db
        .selectFrom('egress_sessions')
        .selectAll()
        .where('room', '=', room)
        .orderBy('created_at')
        .orderBy('id')
        .execute(),
    running: () =>
      simulator.egresses().filter(({ roomName, status, dead }) => roomName === room && RUNS.has(status) && !dead),
    recording: () =>
      until(`one recording in ${room}`, async () => {
        const live = (await scene.sessions()).filter(({ status }) =>
          ['starting', 'active', 'stopping'].includes(status),
        )
        const egresses = scene.running()
        const [session, egress] = [live[0], egresses[0]]
        if (live.length !== 1 || egresses.length !== 1 || !session || !egress) return false
        const isWhole = session.status === 'active' && session.egress_id === egress.egressId && !session.share_ended_at
        return isWhole && egress.status === 'EGRESS_ACTIVE' && session
      }),
    quiet: () =>
      until(`nothing running in ${room}`, async () => {
        const sessions = await scene.sessions()
        const over = sessions.every(({ status }) => status === 'ended' || status === 'failed')
        return over && scene.running().length === 0 && sessions
      }),
  }
  scene.join()
  return scene
}

/** Of a session that ended: what somebody may say of it afterwards. */
export function fateOf({ status, ended_reason: reason }: Session): string {
  return `${status} ${reason ?? ''}`.trim()
}
