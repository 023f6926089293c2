/*
 * What the HTTP API answers, as far as the page reads it. `test/console/api-types.test.ts`
 * holds this against what the service says.
 */

export interface Span {
  from: string
  to: string
}

export type GapReason = 'unshared' | 'missing' | 'unreadable' | 'not_yet' | 'expired'

export interface BufferCoverage {
  coveredFrom: string | null
  coveredTo: string | null
  coveredSeconds: number
  gaps: Span[]
}

export type SessionStatus = 'starting' | 'active' | 'refused' | 'stopping' | 'ended' | 'failed'

export interface Session {
  id: string
  room: string
  userId: string
  username: string | null
  quality: string
  status: SessionStatus
  startedAt: string | null
  endedAt: string | null
  endedReason: string | null
  error: string | null
  expiresAt: string | null
  coverage: BufferCoverage
  links: { playlist: string; poster: string }
}

export interface ClipCoverage {
  requestedFrom: string
  requestedTo: string
  coveredFrom: string
  coveredTo: string
  coveredSeconds: number
  gaps: (Span & { reason: GapReason })[]
  complete: boolean
  clockErrorMs: number
}

export interface Clip {
  id: string
  sessionId: string
  room: string
  userId: string
  status: 'waiting' | 'ready' | 'failed'
  error: string | null
  title: string | null
  from: string
  to: string
  durationSeconds: number
  sizeBytes: number | null
  sha256: string | null
  stored: boolean
  createdAt: string
  coverage: ClipCoverage
  links: { file: string; playlist: string; poster: string }
}

export interface ClipPage {
  clips: Clip[]
  total: number
  hasMore: boolean
  nextCursor: string | null
}

export interface Quota {
  usedBytes: number
  limitBytes: number
  remainingBytes: number
}

export interface ReplayEvent {
  event: string
  sessionId: string
  clipId: string | null
  session?: Session | undefined
  clip?: Clip | undefined
}
