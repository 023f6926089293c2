import { randomUUID } from 'node:crypto'
import {
  AudioTrackFeature,
  BackupCodecPolicy,
  ClientInfo_Capability,
  Codec,
  DisconnectReason,
  ParticipantInfo,
  ParticipantInfo_Kind,
  ParticipantInfo_State,
  ParticipantPermission,
  Room,
  SimulcastCodecInfo,
  TimedVersion,
  TrackInfo,
  TrackSource,
  TrackType,
  VideoLayer,
  VideoLayer_Mode,
} from '@livekit/protocol'
import { newId, randomText } from './random.ts'

/** Rooms, participants and tracks as a real LiveKit filled them in the recordings. */

const CODECS = ['audio/PCMU', 'audio/PCMA', 'audio/opus', 'audio/red', 'video/VP8', 'video/H264', 'video/VP9']
  .concat(['video/AV1', 'video/H265', 'video/rtx'])
  .map((mime) => new Codec({ mime }))

const CAPABILITIES = [ClientInfo_Capability.CAP_PACKET_TRAILER, ClientInfo_Capability.CAP_COMPRESSION_DEFLATE_RAW]
const ONE_LAYER = VideoLayer_Mode.ONE_SPATIAL_LAYER_PER_STREAM

export function newRoom(name: string, nowMs: number): Room {
  return new Room({
    sid: newId('RM_'),
    name,
    emptyTimeout: 300,
    departureTimeout: 20,
    creationTime: BigInt(Math.floor(nowMs / 1000)),
    creationTimeMs: BigInt(nowMs),
    turnPassword: randomText(43),
    enabledCodecs: CODECS,
  })
}

export type JoinOptions = {
  identity: string
  name?: string
  attributes?: Record<string, string>
  metadata?: string
  kind?: ParticipantInfo_Kind
}

export function newParticipant(options: JoinOptions, nowMs: number): ParticipantInfo {
  const kind = options.kind ?? ParticipantInfo_Kind.STANDARD
  const isEgress = kind === ParticipantInfo_Kind.EGRESS
  return new ParticipantInfo({
    sid: newId('PA_'),
    identity: options.identity,
    state: ParticipantInfo_State.ACTIVE,
    metadata: options.metadata ?? '',
    joinedAt: BigInt(Math.floor(nowMs / 1000)),
    joinedAtMs: BigInt(nowMs),
    name: isEgress ? '' : (options.name ?? options.identity),
    version: 2,
    permission: new ParticipantPermission(
      isEgress
        ? { canSubscribe: true, hidden: true, recorder: true }
        : { canSubscribe: true, canPublish: true, canPublishData: true, canUpdateMetadata: true },
    ),
    kind,
    attributes: { ...options.attributes },
    ...(isEgress ? {} : { clientProtocol: 2, capabilities: CAPABILITIES }),
  })
}

export function leaving(participant: ParticipantInfo, reason: DisconnectReason): ParticipantInfo {
  const left = participant.clone()
  left.state = ParticipantInfo_State.DISCONNECTED
  left.version += 1
  left.disconnectReason = reason
  left.tracks = []
  return left
}

export type ShareSize = { width: number; height: number }

export function newShareTrack({ width, height }: ShareSize, nowMs: number): TrackInfo {
  const layers = [new VideoLayer({ width, height, bitrate: 3_000_000, ssrc: Math.floor(Math.random() * 2 ** 32) })]
  const codec = { mimeType: 'video/H264', mid: '7' }
  const size = { width, height, layers }
  return new TrackInfo({
    ...codec,
    ...size,
    sid: newId('TR_VS'),
    type: TrackType.VIDEO,
    name: 'screen',
    source: TrackSource.SCREEN_SHARE,
    codecs: [new SimulcastCodecInfo({ ...codec, cid: randomUUID(), layers, videoLayerMode: ONE_LAYER })],
    stream: 'screen',
    version: versionAt(nowMs),
  })
}

export function newShareAudioTrack(nowMs: number): TrackInfo {
  const codec = { mimeType: 'audio/opus', mid: '8' }
  return new TrackInfo({
    ...codec,
    sid: newId('TR_As'),
    type: TrackType.AUDIO,
    name: 'screen-audio',
    disableDtx: true,
    source: TrackSource.SCREEN_SHARE_AUDIO,
    codecs: [new SimulcastCodecInfo({ ...codec, cid: randomUUID(), videoLayerMode: ONE_LAYER })],
    disableRed: true,
    stream: 'screen',
    version: versionAt(nowMs),
    audioFeatures: [AudioTrackFeature.TF_NO_DTX],
    backupCodecPolicy: BackupCodecPolicy.SIMULCAST,
  })
}

function versionAt(nowMs: number): TimedVersion {
  return new TimedVersion({ unixMicro: BigInt(nowMs) * 1000n + BigInt(Math.floor(Math.random() * 1000)) })
}
