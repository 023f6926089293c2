import type { WebhookEvent } from '@livekit/protocol'
import { wait, type SimulatorClock } from './clock.ts'
import { strikes, type Faults } from './faults.ts'
import { protoJson } from './protojson.ts'
import type { Random } from './random.ts'
import { createWebhookPoster, deliver, MAX_AGE_MS, type SentWebhook, type WebhookKey } from './webhook-sender.ts'

/**
 * Webhooks as LiveKit sends them: in memory only; per receiver and per key (egress id, else room name) one queue, first
 * in first out, so that a receiver that answers slowly holds up the events behind; nothing is kept that is older than
 * 30 s when its turn comes.
 */
export type WebhookQueues = {
  send: (event: WebhookEvent) => void
  setUrls: (urls: string[]) => void
  sent: () => SentWebhook[]
  stop: () => void
}

export type WebhookOptions = {
  clock: SimulatorClock
  key: WebhookKey
  urls: string[]
  faults: Faults
  random: Random
  /** Cause to request, measured 5 to 60 ms. */
  delayMs: number
  retryScale: number
}

/** What `sent()` can look back on. */
const MAX_HISTORY = 10_000

type Queue = { waiting: { event: WebhookEvent; sent: SentWebhook }[]; running: boolean }

export function startWebhookQueues(options: WebhookOptions): WebhookQueues {
  const { clock, faults, random } = options
  const poster = createWebhookPoster()
  const queues = new Map<string, Queue>()
  const history: SentWebhook[] = []
  let urls = [...options.urls]
  const state = { stopped: false }
  const deps = {
    clock,
    key: options.key,
    post: poster.post,
    retryScale: options.retryScale,
    isStopped: () => state.stopped,
  }

  async function drain(queue: Queue): Promise<void> {
    if (queue.running) return
    queue.running = true
    await wait(clock, options.delayMs)
    for (let next = queue.waiting.shift(); next && !state.stopped; next = queue.waiting.shift()) {
      const behind = queue.waiting[0]
      if (behind && strikes(faults.reorderWebhook, next.event, random)) {
        queue.waiting.shift()
        await pass(behind)
      }
      await pass(next)
    }
    queue.running = false
  }

  async function pass({ event, sent }: Queue['waiting'][number]): Promise<void> {
    if (clock.now() - sent.createdAtMs > MAX_AGE_MS) {
      sent.outcome = 'dropped'
      return
    }
    if (strikes(faults.loseWebhook, event, random)) {
      sent.outcome = 'lost'
      return
    }
    if (strikes(faults.lateWebhook, event, random)) {
      clock.after(faults.lateByMs, () => void deliver(deps, sent))
      return
    }
    await deliver(deps, sent)
    if (strikes(faults.doubleWebhook, event, random)) await deliver(deps, sent)
  }

  function enqueue(event: WebhookEvent, body: string, url: string): void {
    const key = `${url} ${event.egressInfo?.egressId ?? event.room?.name ?? ''}`
    const queue = queues.get(key) ?? { waiting: [], running: false }
    queues.set(key, queue)
    const { id, event: name } = event
    const facts = { createdAtMs: clock.now(), attempts: 0, httpStatus: undefined, outcome: 'pending' } as const
    const sent: SentWebhook = { id, event: name, url, body, ...facts }
    history.push(sent)
    if (history.length > MAX_HISTORY) history.shift()
    queue.waiting.push({ event, sent })
    void drain(queue)
  }

  return {
    send: (event) => {
      if (state.stopped) return
      const body = protoJson(event, 'webhook')
      for (const url of urls) enqueue(event, body, url)
    },
    setUrls: (changed) => {
      urls = [...changed]
    },
    sent: () => structuredClone(history),
    stop: () => {
      state.stopped = true
      poster.close()
    },
  }
}
