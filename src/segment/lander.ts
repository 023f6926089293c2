import { Worker } from 'node:worker_threads'
import type { Stop } from '../job/stop.ts'
import { landSegment, type ClosedSegment, type LandedFile, type Reached } from './land-segment.ts'

/*
 * Segments are taken apart in a thread of their own. Their bytes pass through memory
 * once and are garbage: collected there, where little else is, it costs a third (measured
 * with bench/landing.ts: 100 sessions, 1.5 Mbit/s), and nobody's request waits for it.
 */

export type Land = (bufferPath: string, sessionId: string, closed: ClosedSegment) => Promise<LandedFile | undefined>

export interface Lander {
  land: Land
  stop: Stop
}

export interface LandRequest {
  id: number
  bufferPath: string
  sessionId: string
  closed: ClosedSegment
}

export type LandAnswer = { id: number } & (
  { landed: LandedFile | undefined } | { error: { message: string; code: string | undefined } }
)

/** Small, so that what is garbage goes soon. */
const LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 64 }

interface Pending {
  resolve: (landed: LandedFile | undefined) => void
  reject: (error: Error) => void
}

/** Without a thread, for who must know how far it came. */
export function createLanderHere(reached: Reached): Lander {
  return {
    land: (bufferPath, sessionId, closed) => landSegment({ bufferPath, sessionId, reached }, closed),
    stop: async () => undefined,
  }
}

/** Starts with the first segment, and again after a crash, which fails what was under way. */
export function createLander(): Lander {
  const pending = new Map<number, Pending>()
  let worker: Worker | undefined
  let count = 0

  const lose = (lost: Worker, error: Error) => {
    if (worker !== lost) return
    worker = undefined
    for (const { reject } of pending.values()) reject(error)
    pending.clear()
  }
  const start = (): Worker => {
    const started = new Worker(new URL('lander-thread.ts', import.meta.url), { resourceLimits: LIMITS })
    started.unref()
    started.on('message', (answer: LandAnswer) => settle(pending, answer))
    started.on('error', (error: Error) => lose(started, error))
    started.on('exit', () => lose(started, new Error('the landing thread ended')))
    return started
  }
  return {
    async land(bufferPath, sessionId, closed) {
      worker ??= start()
      count += 1
      const request: LandRequest = { id: count, bufferPath, sessionId, closed }
      const answered = new Promise<LandedFile | undefined>((resolve, reject) => {
        pending.set(request.id, { resolve, reject })
      })
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
      worker.postMessage(request)
      return answered
    },
    async stop() {
      await worker?.terminate()
    },
  }
}

function settle(pending: Map<number, Pending>, answer: LandAnswer): void {
  const waiting = pending.get(answer.id)
  pending.delete(answer.id)
  if (!waiting) return
  if ('error' in answer) waiting.reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }))
  else waiting.resolve(withBuffer(answer.landed))
}

/** Between threads a Buffer becomes the plain array that it is. */
function withBuffer(landed: LandedFile | undefined): LandedFile | undefined {
  return landed?.frame_index ? { ...landed, frame_index: Buffer.from(landed.frame_index) } : landed
}
