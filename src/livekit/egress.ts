import { EncodingOptions, EncodingOptionsPreset, SegmentedFileOutput, VideoCodec, AudioCodec } from '@livekit/protocol'
import { EgressClient, ServerError } from 'livekit-server-sdk'
import type { EgressType, Quality } from '../config.ts'
import { readEgressInfo, type EgressFacts } from './egress-facts.ts'
import { livekitError } from './livekit-error.ts'

export interface EgressRequest {
  sessionId: string
  type: EgressType
  room: string
  identity: string
  videoTrackSid: string
  audioTrackSid: string | undefined
  quality: Quality
  segmentDurationSeconds: number
}

/** `stopping`: it will end. `ended`: it had. `unknown`: LiveKit never heard of it. `silent`: its worker does not answer. */
export type StopOutcome = 'stopping' | 'ended' | 'unknown' | 'silent'

/** Calls to LiveKit's egress. Each throws `livekit_unavailable` when LiveKit, or every worker, is away. */
export interface EgressApi {
  start(request: EgressRequest): Promise<EgressFacts>
  stop(egressId: string): Promise<StopOutcome>
  /** Undefined if LiveKit does not know it (ended more than a day ago, or never was). */
  find(egressId: string): Promise<EgressFacts | undefined>
  /** All that LiveKit takes to be running, those with a dead worker among them. */
  listActive(room?: string): Promise<EgressFacts[]>
}

/** A start with nobody to take it was seen to be answered after 22 s (contract section 7); the SDK's own limit is 10. */
const REQUEST_TIMEOUT_SECONDS = 35

const OPTIONS: Record<Quality, EncodingOptionsPreset | EncodingOptions> = {
  '720p': EncodingOptionsPreset.H264_720P_30,
  '1080p': EncodingOptionsPreset.H264_1080P_60,
  '1440p': new EncodingOptions({
    width: 2560,
    height: 1440,
    framerate: 30,
    videoCodec: VideoCodec.H264_MAIN,
    videoBitrate: 8000,
    audioCodec: AudioCodec.AAC,
    audioBitrate: 128,
    audioFrequency: 44_100,
  }),
}

/** The egress calls of one LiveKit. `egressPath` is the buffer path as egress sees it. */
export function createEgressApi(
  livekit: { url: string; apiKey: string; apiSecret: string },
  egressPath: string,
): EgressApi {
  const client = new EgressClient(livekit.url, livekit.apiKey, livekit.apiSecret, {
    requestTimeout: REQUEST_TIMEOUT_SECONDS,
  })
  return {
    start: async (request) => readEgressInfo(await start(client, egressPath, request).catch(livekitError), egressPath),
    stop: async (egressId) => client.stopEgress(egressId).then(() => 'stopping' as const, stopOutcome),
    async find(egressId) {
      const infos = await client.listEgress({ egressId }).catch((error: unknown) => {
        if (error instanceof ServerError && error.code === 'not_found') return []
        return livekitError(error)
      })
      return infos[0] && readEgressInfo(infos[0], egressPath)
    },
    async listActive(room) {
      const infos = await client
        .listEgress({ active: true, ...(room === undefined ? {} : { roomName: room }) })
        .catch(livekitError)
      return infos.map((info) => readEgressInfo(info, egressPath))
    },
  }
}

/** Contract section 9: what each answer to StopEgress means. */
function stopOutcome(error: unknown): StopOutcome {
  if (error instanceof ServerError && error.code === 'not_found') return 'unknown'
  if (error instanceof ServerError && error.code === 'failed_precondition') return 'ended'
  if (error instanceof ServerError && error.code === 'deadline_exceeded') return 'silent'
  return livekitError(error)
}

async function start(client: EgressClient, egressPath: string, request: EgressRequest) {
  const segments = new SegmentedFileOutput({
    filenamePrefix: `${egressPath}/${request.sessionId}/seg`,
    playlistName: 'index',
    livePlaylistName: 'live',
    segmentDuration: request.segmentDurationSeconds,
  })
  const encodingOptions = OPTIONS[request.quality]
  if (request.type === 'participant')
    return client.startParticipantEgress(
      request.room,
      request.identity,
      { segments },
      { screenShare: true, encodingOptions },
    )
  const audio = request.audioTrackSid === undefined ? {} : { audioTrackId: request.audioTrackSid }
  return client.startTrackCompositeEgress(
    request.room,
    { segments },
    { videoTrackId: request.videoTrackSid, ...audio, encodingOptions },
  )
}
