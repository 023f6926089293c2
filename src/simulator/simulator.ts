import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { EgressStatus, type WebhookEvent } from '@livekit/protocol'
import { realClock, stoppableClock, type SimulatorClock } from './clock.ts'
import { createEgressDesk, egressService, knownEgress, type EgressDesk } from './egress-api.ts'
import { killHandler, killWorker, type Egress } from './egress.ts'
import { findSource } from './egress-source.ts'
import { noFaults, type Faults } from './faults.ts'
import { seededRandom } from './random.ts'
import { roomService, type SentData } from './room-api.ts'
import type { JoinOptions } from './room-events.ts'
import {
  createRooms,
  joinRoom,
  leaveRoom,
  publishShare,
  publishShareAudio,
  rejoinRoom,
  setAttributes,
  unpublish,
  type Rooms,
  type ShareOptions,
} from './rooms.ts'
import { startSegmentWriter, type StartWriter } from './segment-writer.ts'
import { MEASURED_TIMING, type Timing } from './timing.ts'
import { startTwirp } from './twirp.ts'
import type { PostWebhook, SentWebhook } from './webhook-sender.ts'
import { createWebhookQueues, sendWebhook, sentWebhooks, stopWebhooks, type WebhookQueues } from './webhook-queue.ts'

/**
 * A LiveKit that needs no LiveKit: rooms whose participants are moved by function calls, signed webhooks, the Twirp API
 * of egress and the room service, and egresses that write real segments. It differs from the real one in that an egress
 * encodes at the size and rate of the share, whatever the request says, to be light.
 */
export type SimulatorOptions = {
  apiKey: string
  apiSecret: string
  webhookUrls?: string[]
  host?: string
  /** 0 is any free port. */
  port?: number
  ffmpegPath?: string
  clock?: SimulatorClock
  startWriter?: StartWriter
  faults?: Partial<Faults>
  /** Of the faults that are left to chance. */
  seed?: number
  timing?: Partial<Timing>
  /** Delivers webhooks instead of HTTP. */
  postWebhook?: PostWebhook
}

export type EgressSnapshot = {
  egressId: string
  roomName: string
  /** As LiveKit reports it: `EGRESS_ACTIVE` and so on. */
  status: string
  /** The worker was killed: the status stays for ever. */
  dead: boolean
  /** Wall clock of media time 0. */
  startedAtMs: number | undefined
  directory: string
  /** The share whose picture it records. */
  trackSid: string | undefined
  segmentCount: number
  encoderPid: number | undefined
}

export type Simulator = {
  readonly url: string
  readonly faults: Faults
  join: (room: string, participant: JoinOptions) => { participantSid: string }
  setAttributes: (room: string, identity: string, attributes: Record<string, string>) => void
  publishShare: (room: string, identity: string, share?: ShareOptions) => { trackSid: string }
  publishShareAudio: (room: string, identity: string) => { trackSid: string }
  unpublish: (room: string, identity: string, trackSid: string) => void
  leave: (room: string, identity: string) => void
  rejoin: (room: string, identity: string) => { participantSid: string; trackSids: string[] }
  setWebhookUrls: (urls: string[]) => void
  /** SIGKILL of the container: one egress on a worker of its own, or all of them and nobody left to start new ones. */
  killEgressWorker: (egressId?: string) => void
  startEgressWorker: () => void
  killEgressHandler: (egressId: string) => void
  egresses: () => EgressSnapshot[]
  webhooksSent: () => SentWebhook[]
  dataSent: () => SentData[]
  stop: () => Promise<void>
}

type RoomAction = 'join' | 'setAttributes' | 'publishShare' | 'publishShareAudio' | 'unpublish' | 'leave' | 'rejoin'

export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { apiKey, apiSecret, host = '127.0.0.1', port = 0, webhookUrls: urls = [] } = options
  const clock = stoppableClock(options.clock ?? realClock)
  const timing = { ...MEASURED_TIMING, ...options.timing }
  const faults = { ...noFaults(), ...options.faults }
  const data: SentData[] = []

  const webhooks = createWebhookQueues({
    clock,
    key: { apiKey, apiSecret },
    urls,
    faults,
    random: seededRandom(options.seed ?? 1),
    delayMs: timing.webhookDelayMs,
    retryScale: timing.webhookRetryScale,
    post: options.postWebhook,
  })
  const send = (event: WebhookEvent) => sendWebhook(webhooks, event)
  const rooms = createRooms({ clock, send, roomFinishedMs: timing.roomFinishedMs })
  const ffmpegPath = options.ffmpegPath ?? ffmpegInstaller.path
  const startWriter = options.startWriter ?? startSegmentWriter
  const desk = createEgressDesk({ clock, rooms, webhooks, faults, startWriter, ffmpegPath, timing })
  const room = roomService({ rooms, faults, onData: (sent) => data.push(sent) })
  const services = { Egress: egressService(desk), RoomService: room }
  const now = () => clock.now() + faults.clockOffMs
  const twirp = await startTwirp({ host, port, apiKey, apiSecret, services, now })

  return {
    url: twirp.url,
    faults,
    ...roomActions(rooms),
    ...egressActions(desk),
    setWebhookUrls: (changed) => {
      webhooks.urls = [...changed]
    },
    webhooksSent: () => sentWebhooks(webhooks),
    dataSent: () => [...data],
    stop: () => stop({ clock, webhooks, desk, twirp }),
  }
}

function roomActions(rooms: Rooms): Pick<Simulator, RoomAction> {
  return {
    join: (room, participant) => ({ participantSid: joinRoom(rooms, room, participant).sid }),
    setAttributes: (room, identity, attributes) => setAttributes(rooms, room, identity, attributes),
    publishShare: (room, identity, share) => publishShare(rooms, room, identity, share),
    publishShareAudio: (room, identity) => publishShareAudio(rooms, room, identity),
    unpublish: (room, identity, trackSid) => unpublish(rooms, room, identity, trackSid),
    leave: (room, identity) => leaveRoom(rooms, room, identity),
    rejoin: (room, identity) => rejoinRoom(rooms, room, identity),
  }
}

function egressActions(desk: EgressDesk) {
  const { deps } = desk
  return {
    killEgressWorker: (egressId?: string) => {
      if (egressId === undefined) desk.hasWorkers = false
      for (const egress of egressId === undefined ? desk.egresses.values() : [knownEgress(desk, egressId)])
        killWorker(deps, egress)
    },
    startEgressWorker: () => {
      desk.hasWorkers = true
    },
    killEgressHandler: (egressId: string) => killHandler(deps, knownEgress(desk, egressId)),
    egresses: () => [...desk.egresses.values()].map((egress) => snapshot(deps.rooms, egress)),
  }
}

function snapshot(rooms: Rooms, egress: Egress): EgressSnapshot {
  const { info, dead, output, paths } = egress
  return {
    egressId: info.egressId,
    roomName: info.roomName,
    status: EgressStatus[info.status],
    dead,
    startedAtMs: output?.startedAtMs,
    directory: paths.directory,
    trackSid: findSource(rooms, egress).video?.info.sid,
    segmentCount: output?.landing.landed().count ?? 0,
    encoderPid: output?.writer.pid,
  }
}

type Running = {
  clock: { stop: () => void }
  webhooks: WebhookQueues
  desk: EgressDesk
  twirp: { stop: () => Promise<void> }
}

/** Nothing is drained, as LiveKit drains nothing. When this resolves every child process is gone. */
async function stop({ clock, webhooks, desk, twirp }: Running): Promise<void> {
  clock.stop()
  stopWebhooks(webhooks)
  await Promise.all(
    [...desk.egresses.values()].map(async ({ output }) => {
      output?.landing.abandon()
      output?.writer.kill()
      await output?.writer.finish()
    }),
  )
  await twirp.stop()
}
