import { AppError } from '../errors.ts'
import { within } from '../limit.ts'
import type { PingLivekit } from '../livekit/ping.ts'

/** A probe asks every few seconds: one question to LiveKit is good for so long. */
const FRESH_MS = 15_000
/** Only the very first answer is waited for, and not for long. */
const PATIENCE_MS = 1000

/** What is known of LiveKit: `ok` or what is wrong. It is asked in the background, when somebody wants to know. */
export function createLivekitState(ping: PingLivekit): () => Promise<string> {
  let state: string | undefined
  let askedAt = -Infinity
  let asking: Promise<void> | undefined
  const ask = async (): Promise<void> => {
    state = await ping().then(() => 'ok', wordsOf)
    asking = undefined
  }
  return async () => {
    if (!asking && performance.now() - askedAt > FRESH_MS) {
      askedAt = performance.now()
      asking = ask()
    }
    if (state === undefined && asking) await within(PATIENCE_MS, asking).catch(() => undefined)
    return state ?? 'it has not answered yet'
  }
}

function wordsOf(error: unknown): string {
  const isAway = error instanceof AppError && error.code === 'livekit_unavailable'
  return isAway ? 'it does not answer' : 'it refuses our API key or secret'
}
