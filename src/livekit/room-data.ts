import { DataPacket_Kind } from '@livekit/protocol'
import { RoomServiceClient } from 'livekit-server-sdk'
import { isNotFound, livekitError } from './livekit-error.ts'

export interface RoomData {
  room: string
  topic: string
  data: string
  /** Nobody named: everybody in the room. */
  to: string[]
}

/** Sends a LiveKit data message. False if there is no such room. Throws `livekit_unavailable`. */
export type SendRoomData = (message: RoomData) => Promise<boolean>

export function createRoomDataSender(livekit: { url: string; apiKey: string; apiSecret: string }): SendRoomData {
  const client = new RoomServiceClient(livekit.url, livekit.apiKey, livekit.apiSecret)
  return async ({ room, topic, data, to }) =>
    client
      .sendData(room, Buffer.from(data), DataPacket_Kind.RELIABLE, { topic, destinationIdentities: to })
      .then(() => true)
      .catch((error: unknown) => (isNotFound(error) ? false : livekitError(error)))
}
