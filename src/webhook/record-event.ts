import { sql } from 'kysely'
import { isDatabaseAway, type Db } from '../db/connect.ts'
import type { LivekitEvent } from '../livekit/webhook-event.ts'
import { createBatches } from './batches.ts'

/** What is kept of a webhook, with what is expected to come of it. */
export interface NewEvent {
  event: LivekitEvent
  receivedAt: Date
  effect: string
}

/** True when the event is new, false when it was recorded before. */
export type RecordEvent = (event: NewEvent) => Promise<boolean>

/**
 * Records events each of which is a transaction of its own, those that come while others are being committed with one
 * statement: when a class begins, LiveKit tells of hundreds of people at once.
 */
export function createEventRecorder(db: Db): RecordEvent {
  return createBatches((events) => recordEvents(db, events), isDatabaseAway)
}

/** Of each event, whether it is new: of two with the same id, the first is. */
export async function recordEvents(db: Db, events: NewEvent[]): Promise<boolean[]> {
  // In the order of their ids, so that no two instances wait for each other.
  const { rows } = await sql<{ id: string }>`
    insert into webhook_events (id, event, room, room_sid, participant_sid, track_sid, body, received_at, effect)
    select id, event, room, room_sid, participant_sid, track_sid, body, received_at, effect
    from json_to_recordset(${JSON.stringify(events.map(toRow))}::json) as told (
      id text, event text, room text, room_sid text, participant_sid text, track_sid text, body jsonb,
      received_at timestamptz, effect text
    )
    order by id
    on conflict (id) do nothing
    returning id`.execute(db)
  const recorded = new Set(rows.map(({ id }) => id))
  return events.map(({ event }) => recorded.delete(event.id))
}

function toRow({ event, receivedAt, effect }: NewEvent) {
  return {
    id: event.id,
    event: event.event,
    room: roomOf(event),
    room_sid: event.room?.sid ?? null,
    participant_sid: event.participant?.sid ?? null,
    track_sid: event.track?.sid ?? null,
    body: event.body,
    received_at: receivedAt,
    effect,
  }
}

/** Egress events carry no room of their own (contract section 6). */
export const roomOf = ({ room, egress }: LivekitEvent) => room?.name || egress?.room || null
