import type { Stop } from '../job/stop.ts'
import { createThread } from '../thread.ts'
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
  bufferPath: string
  sessionId: string
  closed: ClosedSegment
}

/** Without a thread, for who must know how far it came. */
export function createLanderHere(reached: Reached): Lander {
  return {
    land: (bufferPath, sessionId, closed) => landSegment({ bufferPath, sessionId, reached }, closed),
    stop: async () => undefined,
  }
}

export function createLander(): Lander {
  const thread = createThread<LandRequest, LandedFile | undefined>(new URL('lander-thread.ts', import.meta.url))
  return {
    land: async (bufferPath, sessionId, closed) => withBuffer(await thread.ask({ bufferPath, sessionId, closed })),
    stop: thread.stop,
  }
}

function withBuffer(landed: LandedFile | undefined): LandedFile | undefined {
  return landed?.frame_index ? { ...landed, frame_index: Buffer.from(landed.frame_index) } : landed
}
