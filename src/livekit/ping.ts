import { RoomServiceClient } from 'livekit-server-sdk'
import { livekitError } from './livekit-error.ts'

/** Shows that LiveKit answers and takes our key. Throws `livekit_unavailable`, or LiveKit's refusal. */
export type PingLivekit = () => Promise<void>

const TIMEOUT_SECONDS = 3

/** Asks for one room by name: it costs nothing, however many there are, and needs a good token. */
export function createPing(livekit: { url: string; apiKey: string; apiSecret: string }): PingLivekit {
  const options = { requestTimeout: TIMEOUT_SECONDS, failover: false }
  const client = new RoomServiceClient(livekit.url, livekit.apiKey, livekit.apiSecret, options)
  return async () => {
    await client.listRooms(['livekit-replay']).catch(livekitError)
  }
}
