import { ParticipantInfo_Kind, TrackSource, type ParticipantInfo } from '@livekit/protocol'
import { RoomServiceClient } from 'livekit-server-sdk'
import { isNotFound, livekitError } from './livekit-error.ts'
import { instantOf } from './instant.ts'

/** A person in a room, as far as recording goes. Egress workers, agents, SIP and ingress are no persons. */
export interface Participant {
  identity: string
  participantSid: string
  name: string | undefined
  attributes: Record<string, string>
  isPerson: boolean
  /** All of them, in the order of LiveKit's answer. */
  screenShares: SharedTrack[]
  /** Of several the one that egress records: that published last (contract section 4). */
  screenShare: SharedTrack | undefined
  screenShareAudio: SharedTrack | undefined
}

export interface SharedTrack {
  trackSid: string
  /** By LiveKit's clock; undefined if it does not say. */
  publishedAt: Date | undefined
}

export interface LivekitRoom {
  name: string
  /** Without egress workers. */
  participants: number
}

/** Questions to LiveKit's room service. Each throws `livekit_unavailable` when it does not answer. */
export interface RoomApi {
  listRooms(): Promise<LivekitRoom[]>
  /** Nobody, if there is no such room. */
  listParticipants(room: string): Promise<Participant[]>
  findParticipant(room: string, identity: string): Promise<Participant | undefined>
}

export function createRoomApi(livekit: { url: string; apiKey: string; apiSecret: string }): RoomApi {
  const client = new RoomServiceClient(livekit.url, livekit.apiKey, livekit.apiSecret)
  return {
    async listRooms() {
      const rooms = await client.listRooms().catch(livekitError)
      return rooms.map(({ name, numParticipants }) => ({ name, participants: numParticipants }))
    },
    async listParticipants(room) {
      const infos = await client.listParticipants(room).catch((error: unknown) => {
        return isNotFound(error) ? [] : livekitError(error)
      })
      return infos.map(readParticipant)
    },
    async findParticipant(room, identity) {
      const info = await client.getParticipant(room, identity).catch((error: unknown) => {
        return isNotFound(error) ? undefined : livekitError(error)
      })
      return info && readParticipant(info)
    },
  }
}

function readParticipant(info: ParticipantInfo): Participant {
  const tracksOf = (source: TrackSource) =>
    info.tracks
      .filter((track) => track.source === source)
      .map((track) => ({ trackSid: track.sid, publishedAt: instantOf(track.version) }))
  const screenShares = tracksOf(TrackSource.SCREEN_SHARE)
  return {
    identity: info.identity,
    participantSid: info.sid,
    name: info.name || undefined,
    attributes: info.attributes,
    isPerson: info.kind === ParticipantInfo_Kind.STANDARD,
    screenShares,
    screenShare: screenShares.at(-1),
    screenShareAudio: tracksOf(TrackSource.SCREEN_SHARE_AUDIO).at(-1),
  }
}
