import { RoomServiceClient } from 'livekit-server-sdk'
import { livekitError } from './livekit-error.ts'

/** A room that exists for a moment, in which nobody is. Each throws `livekit_unavailable`, or LiveKit's refusal. */
export interface ProbeRooms {
  create(name: string): Promise<void>
  delete(name: string): Promise<void>
}

const EMPTY_SECONDS = 30

/** LiveKit ends such a room by itself, should we not come to it. */
export function createProbeRooms(livekit: { url: string; apiKey: string; apiSecret: string }): ProbeRooms {
  const client = new RoomServiceClient(livekit.url, livekit.apiKey, livekit.apiSecret)
  return {
    async create(name) {
      await client
        .createRoom({ name, emptyTimeout: EMPTY_SECONDS, departureTimeout: EMPTY_SECONDS })
        .catch(livekitError)
    },
    delete: (name) => client.deleteRoom(name).catch(livekitError),
  }
}
