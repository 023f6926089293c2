import {
  AudioCodec,
  EgressInfo,
  EgressSourceType,
  EgressStatus,
  SegmentsInfo,
  type EncodingOptions,
  type ParticipantEgressRequest,
  type SegmentedFileOutput,
  type TrackCompositeEgressRequest,
} from '@livekit/protocol'
import { outputPaths, type OutputPaths } from './output-paths.ts'
import { newId } from './random.ts'
import { TwirpError } from './twirp-error.ts'

/** What an egress records: all shares of one participant, or tracks named one by one. */
export type EgressRequest =
  | { case: 'participant'; value: ParticipantEgressRequest }
  | { case: 'trackComposite'; value: TrackCompositeEgressRequest }

export type EgressPlan = {
  info: EgressInfo
  request: EgressRequest
  paths: OutputPaths
  segmentSeconds: number
  writesManifest: boolean
  /** Of a participant's shares: those that were seen, and the one that is shown for as long as it is there. */
  follows: { seen: Set<string>; shown: string | undefined }
}

/** Checks a request as egress does, and makes of it what egress reports first. */
export function planEgress(request: EgressRequest, room: { sid: string; name: string }, nowNs: bigint): EgressPlan {
  const output = checkRequest(request)
  const egressId = newId('EG_')
  const identity = request.case === 'participant' ? request.value.identity : ''
  const nowMs = Number(nowNs / 1_000_000n)
  const paths = outputPaths(output, { roomName: room.name, roomId: room.sid, identity, egressId, nowMs })
  const info = new EgressInfo({
    egressId,
    roomId: room.sid,
    roomName: room.name,
    sourceType: EgressSourceType.SDK,
    status: EgressStatus.EGRESS_STARTING,
    startedAt: nowNs,
    updatedAt: nowNs,
    request,
  })
  setResults(info, new SegmentsInfo({ playlistName: paths.playlist, livePlaylistName: paths.livePlaylist }))
  const form = { segmentSeconds: output.segmentDuration || 4, writesManifest: !output.disableManifest }
  return { info, request, paths, ...form, follows: { seen: new Set(), shown: undefined } }
}

/** Results are reported twice: in the list, and in the deprecated field beside it. */
export function setResults(info: EgressInfo, results: SegmentsInfo): void {
  info.segmentResults = [results]
  info.result = { case: 'segments', value: results }
}

export function resultsOf(info: EgressInfo): SegmentsInfo {
  return info.segmentResults[0] ?? new SegmentsInfo()
}

function checkRequest({ case: kind, value }: EgressRequest): SegmentedFileOutput {
  if (!value.roomName) throw invalidField('room_name')
  if (kind === 'participant' && !value.identity) throw invalidField('identity')
  if (kind === 'trackComposite' && !value.videoTrackId && !value.audioTrackId) throw invalidField('track_id')
  const legacy = kind === 'trackComposite' && value.output.case === 'segments' ? value.output.value : undefined
  const output = value.segmentOutputs[0] ?? legacy
  if (!output) throw invalidField('output')
  if (output.livePlaylistName && output.livePlaylistName === output.playlistName) {
    throw invalid('request has missing or invalid field: live_playlist_name cannot be identical to playlist_name')
  }
  if (value.options.case === 'advanced') checkEncoding(value.options.value)
  return output
}

function checkEncoding({ width, height, audioCodec }: EncodingOptions): void {
  if (width !== 0 && (width < 16 || width % 2 !== 0)) throw invalidField('width')
  if (height !== 0 && (height < 16 || height % 2 !== 0)) throw invalidField('height')
  if (audioCodec === AudioCodec.OPUS) throw invalid('format application/x-mpegurl incompatible with codec audio/opus')
}

function invalidField(name: string): TwirpError {
  return invalid(`request has missing or invalid field: ${name}`)
}

function invalid(message: string): TwirpError {
  return new TwirpError('invalid_argument', `twirp error unknown: ${message}`)
}
