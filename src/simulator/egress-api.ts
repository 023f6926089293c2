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

export type EgressDesk = {
  service: TwirpService
  list: () => Egress[]
  find: (egressId: string) => Egress
  /** Whether there is any worker that could take a new egress. */
  workers: { alive: boolean }
}

const ENDED = EgressStatus.EGRESS_COMPLETE

/** The egress half of LiveKit's API, and the list of all egresses it ever started. */
export function createEgressDesk(deps: EgressDeps): EgressDesk {
  const { clock, faults, timing } = deps
  const egresses = new Map<string, Egress>()
  const workers = { alive: true }
  deps.rooms.watch((change) => {
    for (const egress of egresses.values()) onRoomChange(deps, egress, change)
  })

  async function start(request: EgressRequest): Promise<EgressInfo> {
    const room = deps.rooms.find(request.value.roomName)?.room
    if (request.value.roomName && !room) throw unknown('not_found', 'requested room does not exist')
    if (faults.startUnavailable || !workers.alive) {
      await wait(clock, timing.startUnansweredMs)
      throw unknown('unavailable', 'no response from servers')
    }
    await wait(clock, timing.egressStartDelayMs)
    const egress = launchEgress(deps, request, { sid: room?.sid ?? '', name: request.value.roomName })
    egresses.set(egress.info.egressId, egress)
    const first = egress.info.clone()
    await wait(clock, timing.startAnswerMs + faults.startAnswerDelayMs)
    if (faults.loseStartAnswer) throw new LostAnswer('the start answer is lost')
    return first
  }

  async function stop({ egressId }: StopEgressRequest): Promise<EgressInfo> {
    const egress = egresses.get(egressId)
    if (egress?.phase === 'starting' && !egress.dead) {
      await wait(clock, timing.stopStartingMs)
      if (abortEgress(deps, egress, 'Stop called before pipeline could start', 'StopEgress API'))
        throw cannotStop(egress)
    }
    if (egress && !egress.dead && egress.phase !== 'ended') {
      void endEgress(deps, egress, 'StopEgress API')
      return egress.info.clone()
    }
    await wait(clock, timing.stopUnansweredMs)
    if (!egress) throw unknown('not_found', 'egress does not exist')
    throw egress.phase === 'ended' ? cannotStop(egress) : unknown('deadline_exceeded', 'request timed out')
  }

  function list({ egressId, roomName, active }: ListEgressRequest): ListEgressResponse {
    const known = egresses.get(egressId)
    if (egressId && !known) throw unknown('not_found', 'egress does not exist')
    const infos = [...egresses.values()].map(({ info }) => info)
    const items = known ? [known.info] : infos.filter((info) => !roomName || info.roomName === roomName)
    return new ListEgressResponse({ items: items.filter(({ status }) => known ?? (!active || status < ENDED)) })
  }

  const reachable = <T>(answer: () => T): T => {
    if (faults.egressApiUnavailable) throw unknown('unavailable', 'no response from servers')
    return answer()
  }
  return {
    workers,
    list: () => [...egresses.values()],
    find: (egressId) => {
      const egress = egresses.get(egressId)
      if (!egress) throw new Error(`no egress ${egressId}`)
      return egress
    },
    service: {
      StartParticipantEgress: rpc(ParticipantEgressRequest, mayRecord, (value) =>
        start({ case: 'participant', value }),
      ),
      StartTrackCompositeEgress: rpc(TrackCompositeEgressRequest, mayRecord, (value) =>
        start({ case: 'trackComposite', value }),
      ),
      StopEgress: rpc(StopEgressRequest, mayRecord, (request) => reachable(() => stop(request))),
      ListEgress: rpc(ListEgressRequest, mayRecord, (request) => reachable(() => list(request))),
    },
  }
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
