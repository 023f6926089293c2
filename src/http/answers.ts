import { z } from 'zod'
import { QUALITIES } from '../config.ts'
import {
  CLIP_STATUSES,
  CLOCK_SOURCES,
  ENDED_REASONS,
  EVENT_TYPES,
  GAP_REASONS,
  SESSION_STATUSES,
} from '../db/schema.ts'

/*
 * What we say. Presenters make values of these types, and the OpenAPI document describes
 * them: what is not here, no client gets to see.
 */

const id = z.uuid().describe('a UUID of version 7')
const instant = z.iso.datetime()
const bytes = z.int().min(0)
const seconds = z.number().min(0)
const link = z.url().describe('with a signature of its own, good for an hour and for this one thing')

export const bufferCoverage = z
  .strictObject({
    coveredFrom: instant.nullable(),
    coveredTo: instant.nullable(),
    coveredSeconds: seconds,
    gaps: z.array(z.strictObject({ from: instant, to: instant })),
  })
  .meta({ id: 'BufferCoverage', description: 'What of a session can be captured now. Null: nothing yet.' })

export const sessionAnswer = z
  .strictObject({
    id,
    room: z.string(),
    userId: z.string(),
    username: z.string().nullable(),
    quality: z.enum(QUALITIES),
    communityId: z.string().nullable(),
    status: z.enum(SESSION_STATUSES),
    startedAt: instant.nullable(),
    endedAt: instant.nullable(),
    endedReason: z.enum(ENDED_REASONS).nullable(),
    error: z.string().nullable(),
    durationMinutes: z.number(),
    expiresAt: instant.nullable().describe('when its buffer goes'),
    coverage: bufferCoverage,
    links: z.strictObject({ playlist: link, poster: link }),
  })
  .meta({ id: 'Session', description: 'One recording of one share: a replay buffer.' })

const clipCoverage = z
  .strictObject({
    requestedFrom: instant,
    requestedTo: instant,
    coveredFrom: instant,
    coveredTo: instant,
    coveredSeconds: seconds,
    gaps: z.array(z.strictObject({ from: instant, to: instant, reason: z.enum(GAP_REASONS) })),
    complete: z.boolean(),
    clock: z.enum(CLOCK_SOURCES),
    clockErrorMs: z.number().describe('how far these instants may be off'),
  })
  .meta({ id: 'ClipCoverage', description: 'What of the asked-for range a clip shows, and why the rest is missing.' })

export const clipAnswer = z
  .strictObject({
    id,
    clipId: id.describe('the same as id'),
    fileId: id.nullable(),
    sessionId: id,
    room: z.string(),
    userId: z.string().describe('its owner'),
    communityId: z.string().nullable(),
    status: z.enum(CLIP_STATUSES),
    error: z.string().nullable(),
    title: z.string().nullable(),
    from: instant,
    to: instant,
    durationSeconds: seconds,
    sizeBytes: bytes.nullable(),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .nullable()
      .describe('of the file, once it is stored'),
    stored: z.boolean().describe('whether it is a file of its own yet; its bytes are the same before and after'),
    createdAt: instant,
    pressedAt: instant,
    coverage: clipCoverage,
    links: z.strictObject({ file: link, playlist: link, poster: link }),
  })
  .meta({ id: 'Clip', description: 'A kept piece of recorded time.' })

export const sessionList = z.strictObject({ sessions: z.array(sessionAnswer) }).meta({ id: 'SessionList' })

export const clipList = z
  .strictObject({
    clips: z.array(clipAnswer),
    total: z.int().min(0),
    hasMore: z.boolean(),
    nextCursor: z.string().nullable().describe('the cursor of the next page; null when there is none'),
  })
  .meta({ id: 'ClipList' })

export const deletedClip = z.strictObject({ freedBytes: bytes, remainingQuotaBytes: bytes }).meta({ id: 'DeletedClip' })

export const quotaAnswer = z
  .strictObject({ usedBytes: bytes, limitBytes: bytes, remainingBytes: bytes })
  .meta({ id: 'Quota', description: 'Bytes of a user: files, and what clips on their way to a file will need.' })

export const eventAnswer = z
  .strictObject({
    id: z.string(),
    event: z.enum(EVENT_TYPES),
    createdAt: instant,
    room: z.string(),
    userId: z.string(),
    sessionId: id,
    clipId: id.nullable(),
    session: sessionAnswer.optional().describe('as it is now; with events of sessions'),
    clip: clipAnswer.optional().describe('as it is now; with events of clips, unless it is deleted'),
  })
  .meta({ id: 'Event', description: 'The data of a server-sent event.' })

export const webhookAnswer = z.strictObject({ effect: z.string() }).meta({ id: 'WebhookEffect' })
export const healthAnswer = z.strictObject({ status: z.literal('ok') }).meta({ id: 'Health' })
const partState = z.string().describe('ok, or what is wrong')
export const readyAnswer = z
  .strictObject({
    status: z.enum(['ready', 'degraded']),
    database: z.literal('ok'),
    migrations: z.literal('ok'),
    disk: partState,
    watcher: partState,
    livekit: partState,
    jobs: partState,
    bufferFreeBytes: bytes.optional(),
    storageFreeBytes: bytes.optional(),
    minFreeBytes: bytes.optional(),
  })
  .meta({ id: 'Readiness' })

export type SessionAnswer = z.output<typeof sessionAnswer>
export type ClipAnswer = z.output<typeof clipAnswer>
export type EventAnswer = z.output<typeof eventAnswer>
