import type { WebhookEvent } from '@livekit/protocol'
import { wait, type SimulatorClock } from './clock.ts'
import { strikes, type Faults } from './faults.ts'
import { protoJson } from './protojson.ts'
import type { Random } from './random.ts'
import {
  createWebhookPoster,
  deliver,
  MAX_AGE_MS,
  type PostWebhook,
  type SentWebhook,
  type WebhookKey,
} from './webhook-sender.ts'

export type WebhookOptions = {
  clock: SimulatorClock
  key: WebhookKey
  urls: string[]
  faults: Faults
  random: Random
  /** Cause to request, measured 5 to 60 ms. */
  delayMs: number
  retryScale: number
  /** Instead of HTTP, for who wants to see each request in his own process. */
  post?: PostWebhook | undefined
}

/** What `sentWebhooks` can look back on. */
const MAX_HISTORY = 10_000

type Entry = { event: WebhookEvent; sent: SentWebhook }
type Queue = { waiting: Entry[]; running: boolean }

/**
 * Webhooks as LiveKit sends them: in memory only; per receiver and per key (egress id, else room name) one queue, first
 * in first out, so that a receiver that answers slowly holds up the events behind; nothing is kept that is older than
 * 30 s when its turn comes.
 */
export type WebhookQueues = {
  options: WebhookOptions
  urls: string[]
  byKey: Map<string, Queue>
  history: SentWebhook[]
  poster: ReturnType<typeof createWebhookPoster>
  stopped: boolean
}

export function createWebhookQueues(options: WebhookOptions): WebhookQueues {
  const poster = options.post ? { post: options.post, close: () => {} } : createWebhookPoster()
  const empty = { byKey: new Map(), history: [], poster, stopped: false }
  return { options, urls: [...options.urls], ...empty }
}

export function sendWebhook(queues: WebhookQueues, event: WebhookEvent): void {
  if (queues.stopped) return
  const body = protoJson(event, 'webhook')
  for (const url of queues.urls) enqueue(queues, event, body, url)
}

export function sentWebhooks({ history }: WebhookQueues): SentWebhook[] {
  return structuredClone(history)
}

export function stopWebhooks(queues: WebhookQueues): void {
  queues.stopped = true
  queues.poster.close()
}

function enqueue(queues: WebhookQueues, event: WebhookEvent, body: string, url: string): void {
  const key = `${url} ${event.egressInfo?.egressId ?? event.room?.name ?? ''}`
  const queue = queues.byKey.get(key) ?? { waiting: [], running: false }
  queues.byKey.set(key, queue)
  const { id, event: name } = event
  const createdAtMs = queues.options.clock.now()
  const facts = { createdAtMs, attempts: 0, httpStatus: undefined, outcome: 'pending' } as const
  const sent: SentWebhook = { id, event: name, url, body, ...facts }
  queues.history.push(sent)
  if (queues.history.length > MAX_HISTORY) queues.history.shift()
  queue.waiting.push({ event, sent })
  void drain(queues, queue)
}

async function drain(queues: WebhookQueues, queue: Queue): Promise<void> {
  if (queue.running) return
  queue.running = true
  const { clock, delayMs, faults, random } = queues.options
  await wait(clock, delayMs)
  for (let next = queue.waiting.shift(); next && !queues.stopped; next = queue.waiting.shift()) {
    const behind = queue.waiting[0]
    if (behind && strikes(faults.reorderWebhook, next.event, random)) {
      queue.waiting.shift()
      await pass(queues, behind)
    }
    await pass(queues, next)
  }
  queue.running = false
}

async function pass(queues: WebhookQueues, { event, sent }: Entry): Promise<void> {
  const { clock, key, faults, random, retryScale } = queues.options
  const deps = { clock, key, retryScale, post: queues.poster.post, isStopped: () => queues.stopped }
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
