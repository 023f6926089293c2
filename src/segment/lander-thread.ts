import { answerAsks } from '../thread.ts'
import { landSegment } from './land-segment.ts'
import type { LandRequest } from './lander.ts'

/** The thread of `lander.ts`. */
answerAsks(({ bufferPath, sessionId, closed }: LandRequest) => landSegment({ bufferPath, sessionId }, closed))
