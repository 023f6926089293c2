import { EgressStatus, type EgressInfo } from '@livekit/protocol'
import { instantAt } from './instant.ts'
import { isOurId } from '../own-id.ts'

export type EgressState = 'starting' | 'active' | 'ending' | 'complete' | 'failed' | 'aborted' | 'limit_reached'

/** What this project needs to know of an egress, from a webhook, an answer or ListEgress alike. */
export interface EgressFacts {
  egressId: string
  room: string
  state: EgressState
  /** The session whose directory it writes to, if the path is one of ours: `<egress path>/<session id>/index.m3u8`. */
  sessionId: string | undefined
  /** Wall clock of PTS 0 (contract section 9); unknown until the egress is active. */
  startedAt: Date | undefined
  /** When LiveKit last heard of a change, by its clock; undefined if it does not say. */
  changedAt: Date | undefined
  error: string | undefined
  /** `End reason: Source closed`, that is, participant or tracks went, and nobody asked for the stop. */
  sourceClosed: boolean
}

const STATES: Record<EgressStatus, EgressState> = {
  [EgressStatus.EGRESS_STARTING]: 'starting',
  [EgressStatus.EGRESS_ACTIVE]: 'active',
  [EgressStatus.EGRESS_ENDING]: 'ending',
  [EgressStatus.EGRESS_COMPLETE]: 'complete',
  [EgressStatus.EGRESS_FAILED]: 'failed',
  [EgressStatus.EGRESS_ABORTED]: 'aborted',
  [EgressStatus.EGRESS_LIMIT_REACHED]: 'limit_reached',
}

/**
 * Reads an EgressInfo. `ended` says that it came with `egress_ended`: a status that
 * is absent or unknown decodes to STARTING (contract section 5), and then means failed.
 */
export function readEgressInfo(info: EgressInfo, egressPath: string, ended = false): EgressFacts {
  const state = STATES[info.status]
  const isTerminal = ['complete', 'failed', 'aborted', 'limit_reached'].includes(state)
  return {
    egressId: info.egressId,
    room: info.roomName,
    state: ended && !isTerminal ? 'failed' : state,
    sessionId: sessionIdOf(info, egressPath),
    startedAt: instantOfNs(info.segmentResults[0]?.startedAt),
    changedAt: instantOfNs(info.updatedAt),
    error: info.error || undefined,
    sourceClosed: info.details === 'End reason: Source closed',
  }
}

function instantOfNs(ns = 0n): Date | undefined {
  return ns > 0n ? instantAt(Number(ns / 1_000_000n)) : undefined
}

function sessionIdOf(info: EgressInfo, egressPath: string): string | undefined {
  const request = info.request.value
  const outputs = request && 'segmentOutputs' in request ? request.segmentOutputs : []
  // A failed egress comes with empty results; its request still says where it would have written.
  for (const path of [info.segmentResults[0]?.playlistName, outputs[0]?.filenamePrefix]) {
    if (!path?.startsWith(`${egressPath}/`)) continue
    const id = path.slice(egressPath.length + 1).split('/')[0]
    if (id && isOurId(id)) return id
  }
  return undefined
}
