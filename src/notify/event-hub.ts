import { isDatabaseAway } from '../db/connect.ts'
import type { Listener } from '../db/listen.ts'
import type { Event } from '../db/schema.ts'
import type { Stop } from '../job/stop.ts'
import { errorFields, type Log } from '../log.ts'
import { findLastEventId, listEventsAfter } from './event.repo.ts'
import { tellEvents, type TellDeps } from './tell-events.ts'

export interface Subscriber {
  onEvent: (event: Event) => void
  /** Nothing more is to come from this instance. */
  onEnd: () => void
}

/** Hands every event, from whichever instance, to this instance's subscribers, once and in order. */
export interface EventHub {
  /** Also tells which event was the last before the subscription. */
  subscribe(subscriber: Subscriber): { lastId: number; unsubscribe: () => void }
  /** How many subscribe now. */
  count(): number
  stop: Stop
}

export interface HubDeps extends TellDeps {
  listener: Listener
  log: Log
}

const BATCH = 200

export async function startEventHub(deps: HubDeps): Promise<EventHub> {
  const subscribers = new Set<Subscriber>()
  let lastId = await findLastEventId(deps.db)
  const hasOutside = deps.config.webhookUrls.length > 0 || deps.config.notifyRoom

  const handOut = async (): Promise<void> => {
    for (;;) {
      const events = await listEventsAfter(deps.db, lastId, BATCH)
      for (const event of events) {
        lastId = event.id
        for (const { onEvent } of subscribers) onEvent(event)
      }
      if (events.length < BATCH) break
    }
    if (hasOutside) await tellEvents(deps)
  }
  const pump = createPump(handOut, deps.log)
  // Also after a reconnect: what was missed is found by its id.
  const unlisten = deps.listener.on('event_added', '', pump.run)
  pump.run()
  return {
    subscribe(subscriber) {
      subscribers.add(subscriber)
      return { lastId, unsubscribe: () => subscribers.delete(subscriber) }
    },
    count: () => subscribers.size,
    async stop() {
      unlisten()
      await pump.settled()
      for (const { onEnd } of subscribers) onEnd()
      subscribers.clear()
    },
  }
}

/** Runs again if it was asked to while it ran, never beside itself. */
function createPump(work: () => Promise<void>, log: Log) {
  let running: Promise<void> | undefined
  let isAskedAgain = false
  const loop = async (): Promise<void> => {
    do {
      isAskedAgain = false
      await work().catch((error: unknown) => {
        if (isDatabaseAway(error)) log.debug('events not read, the database is away')
        else log.error('events not handed out', errorFields(error))
      })
    } while (isAskedAgain)
    running = undefined
  }
  return {
    run: () => {
      isAskedAgain = true
      running ??= loop()
    },
    settled: async () => running,
  }
}
