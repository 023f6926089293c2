import { systemNow } from '../clock.ts'
import type { Db } from '../db/connect.ts'
import type { SendRoomData } from '../livekit/room-data.ts'
import { describeEvent } from './describe-event.ts'
import { findEvent } from './event.repo.ts'

export interface TellRoomDeps {
  db: Db
  sendRoomData: SendRoomData
}

/** LiveKit clients know our messages by it. */
export const TOPIC = 'replay'

/** What is older is no news to anybody who is still in the room. */
const NEWS_MS = 60_000

/** The job `tell_room`: everybody in the room hears of its buffers, and only its owner of a clip. */
export async function tellRoom(deps: TellRoomDeps, { eventId }: { eventId: number }): Promise<string> {
  const event = await findEvent(deps.db, eventId)
  if (!event || systemNow().getTime() - event.created_at.getTime() > NEWS_MS) return 'too_late'
  const data = JSON.stringify(await describeEvent(deps.db, event))
  const to = event.clip_id === null ? [] : [event.user_id]
  return (await deps.sendRoomData({ room: event.room, topic: TOPIC, data, to })) ? 'told' : 'no_room'
}
