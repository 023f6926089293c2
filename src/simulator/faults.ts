import type { WebhookEvent } from '@livekit/protocol'
import type { Random } from './random.ts'

/** How often something goes wrong: a probability, or a choice by event. */
export type Chance = number | ((event: WebhookEvent) => boolean)

/** Everything that can be made to go wrong. All of it may be switched while the simulator runs. */
export type Faults = {
  /** Webhooks that are never sent. */
  loseWebhook: Chance
  /** Webhooks that are sent twice, with the same id. */
  doubleWebhook: Chance
  /** Webhooks that come `lateByMs` later, overtaken by those behind them. */
  lateWebhook: Chance
  lateByMs: number
  /** Webhooks that change places with the next one of their queue. */
  reorderWebhook: Chance
  /** Start calls find no worker: 503 `no response from servers`. */
  startUnavailable: boolean
  /** Start calls are answered this much later, though their egress runs already. */
  startAnswerDelayMs: number
  /** The egress starts, but the connection dies instead of answering. */
  loseStartAnswer: boolean
  /** The worker dies without a word as soon as its egress is active. */
  silentWorker: boolean
  /** Segments cannot be written: EGRESS_FAILED, no space left on device. */
  diskFull: boolean
  /** All other egress calls (list, stop) answer 503. */
  egressApiUnavailable: boolean
  /** LiveKit's clock is off by so much, as the Date of its answers tells. */
  clockOffMs: number
  /** All room service calls answer 503. */
  roomServiceUnavailable: boolean
}

export function noFaults(): Faults {
  return {
    loseWebhook: 0,
    doubleWebhook: 0,
    lateWebhook: 0,
    lateByMs: 1000,
    reorderWebhook: 0,
    startUnavailable: false,
    startAnswerDelayMs: 0,
    loseStartAnswer: false,
    silentWorker: false,
    diskFull: false,
    egressApiUnavailable: false,
    clockOffMs: 0,
    roomServiceUnavailable: false,
  }
}

export function strikes(chance: Chance, event: WebhookEvent, random: Random): boolean {
  if (typeof chance === 'function') return chance(event)
  return chance > 0 && random() < chance
}
