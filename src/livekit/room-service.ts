import { ParticipantInfo_Kind, TrackSource, type ParticipantInfo } from '@livekit/protocol'
import { RoomServiceClient } from 'livekit-server-sdk'
import { isNotFound, livekitError } from './livekit-error.ts'

/** A person in a room, as far as recording goes. Egress workers, agents, SIP and ingress are no persons. */
export interface Participant {
  identity: string
  participantSid: string
  name: string | undefined
  attributes: Record<string, string>
  isPerson: boolean
  screenShare: { trackSid: string } | undefined
  screenShareAudio: { trackSid: string } | undefined
}

/** Questions to LiveKit's room service. Each throws `livekit_unavailable` when it does not answer. */
export interface RoomApi {
  listRooms(): Promise<string[]>
  /** Nobody, if there is no such room. */
  listParticipants(room: string): Promise<Participant[]>
  findParticipant(room: string, identity: string): Promise<Participant | undefined>
}

export function createRoomApi(livekit: { url: string; apiKey: string; apiSecret: string }): RoomApi {
  const client = new RoomServiceClient(livekit.url, livekit.apiKey, livekit.apiSecret)
  return {
    async listRooms() {
      const rooms = await client.listRooms().catch(livekitError)
      return rooms.map((room) => room.name)
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
  // Of several shares by one participant, egress records the one published last (contract section 4).
  const track = (source: TrackSource) => {
    const found = info.tracks.findLast((candidate) => candidate.source === source)
    return found && { trackSid: found.sid }
  }
  return {
    identity: info.identity,
    participantSid: info.sid,
    name: info.name || undefined,
    attributes: info.attributes,
    isPerson: info.kind === ParticipantInfo_Kind.STANDARD,
    screenShare: track(TrackSource.SCREEN_SHARE),
    screenShareAudio: track(TrackSource.SCREEN_SHARE_AUDIO),
  }
}
