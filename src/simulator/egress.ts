import { DisconnectReason, EgressStatus, ParticipantInfo_Kind, SegmentsInfo } from '@livekit/protocol'
import { wait, type SimulatorClock } from './clock.ts'
import { planEgress, resultsOf, setResults, type EgressPlan, type EgressRequest } from './egress-request.ts'
import { findSource, missingSource, pictureForm, recordsAudio } from './egress-source.ts'
import type { Faults } from './faults.ts'
import { startLanding, type Landing } from './landing.ts'
import { manifestOf } from './manifest.ts'
import { findMember, joinRoom, leaveRoom, webhookEvent, type RoomChange, type Rooms } from './rooms.ts'
import type { SegmentWriter, StartWriter } from './segment-writer.ts'
import type { Timing } from './timing.ts'
import { sendWebhook, type WebhookQueues } from './webhook-queue.ts'

/**
 * One egress from start to end. It is `starting` until its first packet was seen and its pipeline plays; `dead` means
 * that its worker was killed: it says nothing any more, and stays what it was for ever.
 */
export type Egress = EgressPlan & {
  phase: 'starting' | 'active' | 'ending' | 'ended'
  dead: boolean
  joinedAtNs: bigint | undefined
  /** Its participant or tracks were there once; from then on it waits for media without limit. */
  sourceSeen: boolean
  pipelineStarted: boolean
  output: { writer: SegmentWriter; landing: Landing; startedAtMs: number } | undefined
}

export type EgressDeps = {
  clock: SimulatorClock
  rooms: Rooms
  webhooks: WebhookQueues
  faults: Faults
  startWriter: StartWriter
  ffmpegPath: string
  timing: Timing
}

export function nanos(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n + BigInt(Math.floor(Math.random() * 1_000_000))
}

/** Creates an egress and lets it join its room. */
export function launchEgress(deps: EgressDeps, request: EgressRequest, room: { sid: string; name: string }): Egress {
  const plan = planEgress(request, room, nanos(deps.clock.now()))
  const state = { dead: false, joinedAtNs: undefined, sourceSeen: false, pipelineStarted: false, output: undefined }
  const egress: Egress = { ...plan, ...state, phase: 'starting' }
  report(deps, egress, 'egress_started')
  deps.clock.after(deps.timing.joinMs, () => enter(deps, egress))
  return egress
}

function enter(deps: EgressDeps, egress: Egress): void {
  if (egress.dead || egress.phase !== 'starting') return
  egress.joinedAtNs = nanos(deps.clock.now())
  joinRoom(deps.rooms, egress.info.roomName, { identity: egress.info.egressId, kind: ParticipantInfo_Kind.EGRESS })
  deps.clock.after(deps.timing.sourceWaitMs, () => {
    const missing = missingSource(deps.rooms, egress)
    if (egress.phase === 'starting' && !egress.sourceSeen && missing) failEgress(deps, egress, missing, 404)
  })
  followSource(deps, egress)
}

/** Something changed in the room. */
export function onRoomChange(deps: EgressDeps, egress: Egress, change: RoomChange): void {
  if (egress.dead || egress.phase === 'ended' || egress.joinedAtNs === undefined) return
  if (change.roomName !== egress.info.roomName) return
  const isSource = egress.request.case === 'participant' && egress.request.value.identity === change.identity
  if (change.left && isSource) {
    if (egress.phase === 'active') return void endEgress(deps, egress, 'Source closed')
    deps.clock.after(deps.timing.startSignalMs, () => {
      const missing = missingSource(deps.rooms, egress)
      if (missing) abortEgress(deps, egress, 'Start signal not received', 'Source closed')
    })
  }
  followSource(deps, egress)
}

function followSource(deps: EgressDeps, egress: Egress): void {
  egress.sourceSeen ||= missingSource(deps.rooms, egress) === undefined
  const { video, audio } = findSource(deps.rooms, egress)
  if (egress.phase === 'starting' && !egress.pipelineStarted && (video ?? audio)) {
    egress.pipelineStarted = true
    deps.clock.after(deps.timing.firstPacketMs, () => startPipeline(deps, egress))
  }
  if (!egress.output) return
  const tracksGone = !video && !audio
  if (egress.phase === 'active' && egress.request.case === 'trackComposite' && tracksGone) {
    return void endEgress(deps, egress, 'Source closed')
  }
  showSource(deps, egress, video ? deps.timing.switchMs : 0)
}

/** Black at once when the share is gone, and back a little after it came again. */
function showSource(deps: EgressDeps, egress: Egress, delayMs: number): void {
  const show = () => {
    const { video, audio } = findSource(deps.rooms, egress)
    egress.output?.writer.show({ sourceId: video?.sourceId, beeps: audio !== undefined })
  }
  if (delayMs === 0) show()
  else deps.clock.after(delayMs, show)
}

function startPipeline(deps: EgressDeps, egress: Egress): void {
  if (egress.dead || egress.phase !== 'starting') return
  const { clock, faults, timing } = deps
  const { video, audio } = findSource(deps.rooms, egress)
  const startedAtMs = clock.now()
  const { paths, segmentSeconds, writesManifest } = egress
  const common = { clock, segmentSeconds, startedAtMs }
  const landing = startLanding({
    ...common,
    paths,
    writesManifest,
    lagMs: timing.landingLagMs,
    onFailure: (message) => failEgress(deps, egress, message, 400),
    programDateTimeOffsetMs: timing.programDateTimeOffsetMs,
    isDiskFull: () => faults.diskFull,
  })
  const writer = deps.startWriter({
    ...common,
    ...pictureForm(video),
    ffmpegPath: deps.ffmpegPath,
    onSegment: landing.take,
    source: { sourceId: video?.sourceId, beeps: audio !== undefined },
    hasAudio: recordsAudio(egress.request),
    onFailure: (message) => failEgress(deps, egress, message, 500),
  })
  egress.output = { writer, landing, startedAtMs }
  clock.after(timing.activeMs, () => becomeActive(deps, egress, startedAtMs))
}

function becomeActive(deps: EgressDeps, egress: Egress, startedAtMs: number): void {
  if (egress.dead || egress.phase !== 'starting') return
  egress.phase = 'active'
  setStatus(deps, egress, EgressStatus.EGRESS_ACTIVE)
  resultsOf(egress.info).startedAt = nanos(startedAtMs)
  report(deps, egress, 'egress_updated')
  if (deps.faults.silentWorker) killWorker(deps, egress)
  else followSource(deps, egress)
}

/** Ends a running egress; it is over when everything is on disk. */
export async function endEgress(deps: EgressDeps, egress: Egress, reason: string): Promise<void> {
  if (egress.phase !== 'active' || egress.dead || !egress.output) return
  egress.phase = 'ending'
  egress.info.details = `End reason: ${reason}`
  setStatus(deps, egress, EgressStatus.EGRESS_ENDING)
  countLanded(egress)
  const { writer, landing, startedAtMs } = egress.output
  report(deps, egress, 'egress_updated')
  await writer.finish()
  const results = resultsOf(egress.info)
  const startedAt = results.startedAt
  const endedAtNs = nanos(deps.clock.now())
  await landing.close((files) => manifestOf(egress, files, endedAtNs))
  await wait(deps.clock, deps.timing.endedMs)
  if (egress.dead || egress.phase !== 'ending') return
  countLanded(egress)
  const ended = nanos(startedAtMs + landing.endSeconds() * 1000)
  Object.assign(resultsOf(egress.info), { startedAt, endedAt: ended, duration: ended - startedAt })
  const location = egress.writesManifest && landing.landed().count > 0 ? egress.paths.manifest : ''
  egress.info.manifestLocation = location
  finish(deps, egress, EgressStatus.EGRESS_COMPLETE)
}

/** Ends an egress that never became active. False when it is too late for that. */
export function abortEgress(deps: EgressDeps, egress: Egress, error: string, reason: string): boolean {
  if (egress.phase !== 'starting' || egress.dead) return false
  discard(egress)
  Object.assign(egress.info, { error, errorCode: 412, details: `End reason: ${reason}` })
  finish(deps, egress, EgressStatus.EGRESS_ABORTED)
  return true
}

export function failEgress(deps: EgressDeps, egress: Egress, error: string, errorCode: number): void {
  if (egress.phase === 'ended' || egress.dead) return
  discard(egress)
  Object.assign(egress.info, { error, errorCode, details: 'End reason: Failure' })
  if (egress.output) countLanded(egress)
  finish(deps, egress, EgressStatus.EGRESS_FAILED)
}

/** The process of one egress dies, and its worker reports it: without details, with results zeroed. */
export function killHandler(deps: EgressDeps, egress: Egress): void {
  if (egress.phase === 'ended' || egress.dead) return
  discard(egress)
  const { playlist, livePlaylist } = egress.paths
  setResults(egress.info, new SegmentsInfo({ playlistName: playlist, livePlaylistName: livePlaylist }))
  Object.assign(egress.info, { error: 'signal: killed', errorCode: 500 })
  finish(deps, egress, EgressStatus.EGRESS_FAILED, DisconnectReason.CONNECTION_TIMEOUT)
}

/** The whole worker dies: nothing is said, ever; LiveKit only sees its participant time out. */
export function killWorker(deps: EgressDeps, egress: Egress): void {
  if (egress.phase === 'ended' || egress.dead) return
  egress.dead = true
  discard(egress)
  withdraw(deps, egress, DisconnectReason.CONNECTION_TIMEOUT)
}

function discard({ output }: Egress): void {
  output?.writer.kill()
  output?.landing.abandon()
}

function finish(
  deps: EgressDeps,
  egress: Egress,
  status: EgressStatus,
  left = DisconnectReason.CLIENT_INITIATED,
): void {
  egress.phase = 'ended'
  setStatus(deps, egress, status)
  egress.info.endedAt = egress.info.updatedAt
  withdraw(deps, egress, left)
  report(deps, egress, 'egress_ended')
}

function withdraw(deps: EgressDeps, { info, joinedAtNs }: Egress, reason: DisconnectReason): void {
  if (joinedAtNs === undefined) return
  const timedOut = reason === DisconnectReason.CONNECTION_TIMEOUT
  const leave = () => {
    const { roomName, egressId } = info
    if (findMember(deps.rooms, roomName, egressId)) leaveRoom(deps.rooms, roomName, egressId, reason)
  }
  if (timedOut) deps.clock.after(deps.timing.connectionTimeoutMs, leave)
  else leave()
}

function setStatus(deps: EgressDeps, { info, joinedAtNs }: Egress, status: EgressStatus): void {
  info.status = status
  if (joinedAtNs !== undefined) info.startedAt = joinedAtNs
  info.updatedAt = nanos(deps.clock.now())
}

function countLanded({ info, output, paths }: Egress): void {
  const { count, bytes } = output?.landing.landed() ?? { count: 0, bytes: 0 }
  if (count === 0) return
  Object.assign(resultsOf(info), {
    size: BigInt(bytes),
    segmentCount: BigInt(count),
    playlistLocation: paths.playlist,
    livePlaylistLocation: paths.livePlaylist,
  })
}

function report(deps: EgressDeps, { info }: Egress, name: string): void {
  sendWebhook(deps.webhooks, webhookEvent(name, { egressInfo: info.clone() }, deps.clock.now()))
}
