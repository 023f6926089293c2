import { createHash } from 'node:crypto'
import type { Config } from '../config.ts'
import type { Db, Trx } from '../db/connect.ts'
import type { Event, EventType } from '../db/schema.ts'
import { enqueue } from '../job/jobs.ts'
import { deleteEventsOlderThan, setEventsTold } from './event.repo.ts'

/*
 * Telling the world.
 * - An event is a row, written by a trigger in the transaction in which it happened.
 * - Clients hear of it through NOTIFY, on whichever instance their stream is.
 * - Webhooks and room messages are jobs, enqueued in the transaction that marks the event
 *   as told: once each, whoever does it, and not lost in a crash.
 */

export interface TellDeps {
  db: Db
  config: Pick<Config, 'webhookUrls' | 'notifyRoom'>
}

const BATCH = 100

/** What a room is told of. */
const FOR_ROOMS: ReadonlySet<EventType> = new Set(['session_active', 'session_ended', 'clip_ready'])

/** Enqueues the deliveries of every event that has none yet. Without anybody to tell, it only marks them. */
export async function tellEvents(deps: TellDeps): Promise<{ events: number }> {
  let events = 0
  for (;;) {
    const told = await deps.db.transaction().execute(async (trx) => {
      const untold = await setEventsTold(trx, BATCH)
      for (const event of untold) await enqueueDeliveries(deps, trx, event)
      return untold.length
    })
    events += told
    if (told < BATCH) return { events }
  }
}

async function enqueueDeliveries({ config }: TellDeps, trx: Trx, { id: eventId, type, session_id }: Event) {
  for (const urlKey of config.webhookUrls.map(urlKeyOf))
    await enqueue(trx, 'send_webhook', urlKey, { eventId, urlKey }, { key: `webhook:${eventId}:${urlKey}` })
  if (config.notifyRoom && FOR_ROOMS.has(type))
    await enqueue(trx, 'tell_room', session_id, { eventId }, { key: `room:${eventId}` })
}

/** Names a URL where it may be read: it can hold a secret of its receiver's. */
export const urlKeyOf = (url: string) => createHash('sha256').update(url).digest('hex').slice(0, 12)

/** Longer than a webhook is tried for. */
const KEPT_MS = 36 * 3_600_000

export async function sweepEvents({ db }: Pick<TellDeps, 'db'>): Promise<{ events: number }> {
  return { events: await deleteEventsOlderThan(db, KEPT_MS) }
}
