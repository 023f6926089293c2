import {
  EgressInfo,
  EgressStatus,
  ListEgressRequest,
  ListEgressResponse,
  ParticipantEgressRequest,
  StopEgressRequest,
  TrackCompositeEgressRequest,
} from '@livekit/protocol'
import { wait } from './clock.ts'
import { abortEgress, endEgress, launchEgress, onRoomChange, type Egress, type EgressDeps } from './egress.ts'
import type { EgressRequest } from './egress-request.ts'
import { rpc, type TwirpService } from './twirp.ts'
import { LostAnswer, TwirpError } from './twirp-error.ts'

/** All egresses that were ever started, and whether there is any worker that could take a new one. */
export type EgressDesk = { deps: EgressDeps; egresses: Map<string, Egress>; hasWorkers: boolean }

const ENDED = EgressStatus.EGRESS_COMPLETE

export function createEgressDesk(deps: EgressDeps): EgressDesk {
  const egresses = new Map<string, Egress>()
  deps.rooms.watchers.add((change) => {
    for (const egress of egresses.values()) onRoomChange(deps, egress, change)
  })
  return { deps, egresses, hasWorkers: true }
}

export function knownEgress({ egresses }: EgressDesk, egressId: string): Egress {
  const egress = egresses.get(egressId)
  if (!egress) throw new Error(`no egress ${egressId}`)
  return egress
}

/** The egress half of LiveKit's API. */
export function egressService(desk: EgressDesk): TwirpService {
  const reachable = <T>(answer: () => T): T => {
    if (desk.deps.faults.egressApiUnavailable) throw unknown('unavailable', 'no response from servers')
    return answer()
  }
  return {
    StartParticipantEgress: rpc(ParticipantEgressRequest, mayRecord, (value) =>
      start(desk, { case: 'participant', value }),
    ),
    StartTrackCompositeEgress: rpc(TrackCompositeEgressRequest, mayRecord, (value) =>
      start(desk, { case: 'trackComposite', value }),
    ),
    StopEgress: rpc(StopEgressRequest, mayRecord, (request) => reachable(() => stop(desk, request))),
    ListEgress: rpc(ListEgressRequest, mayRecord, (request) => reachable(() => list(desk, request))),
  }
}

async function start(desk: EgressDesk, request: EgressRequest): Promise<EgressInfo> {
  const { rooms, clock, faults, timing } = desk.deps
  const room = rooms.byName.get(request.value.roomName)?.room
  if (request.value.roomName && !room) throw unknown('not_found', 'requested room does not exist')
  if (faults.startUnavailable || !desk.hasWorkers) {
    await wait(clock, timing.startUnansweredMs)
    throw unknown('unavailable', 'no response from servers')
  }
  await wait(clock, timing.egressStartDelayMs)
  const egress = launchEgress(desk.deps, request, { sid: room?.sid ?? '', name: request.value.roomName })
  desk.egresses.set(egress.info.egressId, egress)
  const first = egress.info.clone()
  await wait(clock, timing.startAnswerMs + faults.startAnswerDelayMs)
  if (faults.loseStartAnswer) throw new LostAnswer('the start answer is lost')
  return first
}

/** Whoever cannot answer is waited for; only then LiveKit looks at what it knows of the egress. */
async function stop({ deps, egresses }: EgressDesk, { egressId }: StopEgressRequest): Promise<EgressInfo> {
  const { clock, timing } = deps
  const egress = egresses.get(egressId)
  if (egress?.phase === 'starting' && !egress.dead) {
    await wait(clock, timing.stopStartingMs)
    if (abortEgress(deps, egress, 'Stop called before pipeline could start', 'StopEgress API')) throw cannotStop(egress)
  }
  if (egress && !egress.dead && egress.phase !== 'ended') {
    void endEgress(deps, egress, 'StopEgress API')
    return egress.info.clone()
  }
  await wait(clock, timing.stopUnansweredMs)
  if (!egress) throw unknown('not_found', 'egress does not exist')
  throw egress.phase === 'ended' ? cannotStop(egress) : unknown('deadline_exceeded', 'request timed out')
}

function list({ egresses }: EgressDesk, { egressId, roomName, active }: ListEgressRequest): ListEgressResponse {
  const known = egresses.get(egressId)
  if (egressId && !known) throw unknown('not_found', 'egress does not exist')
  if (known) return new ListEgressResponse({ items: [known.info] })
  const infos = [...egresses.values()].map(({ info }) => info)
  const items = infos.filter((info) => !roomName || info.roomName === roomName)
  return new ListEgressResponse({ items: items.filter(({ status }) => !active || status < ENDED) })
}

function mayRecord(grants: { roomRecord?: boolean }): boolean {
  return grants.roomRecord === true
}

/** Errors from behind LiveKit's message bus are passed on with this prefix. */
export function unknown(code: TwirpError['code'], message: string): TwirpError {
  return new TwirpError(code, `twirp error unknown: ${message}`)
}

function cannotStop({ info }: Egress): TwirpError {
  return new TwirpError('failed_precondition', `egress with status ${EgressStatus[info.status]} cannot be stopped`)
}
