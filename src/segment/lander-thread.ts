import { parentPort } from 'node:worker_threads'
import { landSegment } from './land-segment.ts'
import type { LandAnswer, LandRequest } from './lander.ts'

/** The thread of `lander.ts`. */
parentPort?.on('message', (request: LandRequest) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  void answer(request).then((answered) => parentPort?.postMessage(answered))
})

async function answer({ id, bufferPath, sessionId, closed }: LandRequest): Promise<LandAnswer> {
  try {
    return { id, landed: await landSegment({ bufferPath, sessionId }, closed) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { id, error: { message, code: error instanceof Error && 'code' in error ? String(error.code) : undefined } }
  }
}
