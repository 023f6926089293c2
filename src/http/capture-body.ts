import { z } from 'zod'
import { AppError } from '../errors.ts'
import { instant, roomName, titleText, userName } from './inputs.ts'

const DURATIONS = [1, 2, 5, 10] as const

/** How far a client's own clock may be trusted for the moment of its press. */
const PRESSED_WITHIN_MS = 60_000

/** Longer than any buffer is: what is too long for this one is told with its length. */
const LONGEST_SECONDS = 240 * 60

const fields = {
  durationMinutes: z
    .union(
      DURATIONS.map((minutes) => z.literal(minutes)),
      `one of ${DURATIONS.join(', ')}`,
    )
    .optional(),
  lastSeconds: z
    .number('a number of seconds')
    .positive('more than 0')
    .max(LONGEST_SECONDS, `at most ${LONGEST_SECONDS}`)
    .optional(),
  from: instant.optional(),
  to: instant.optional(),
  title: titleText.optional(),
  pressedAt: instant.optional().describe("the client's own clock, trusted within the last 60 s"),
  userId: userName.optional().describe('for whom: backends only'),
}

interface RangeFields {
  durationMinutes?: number | undefined
  lastSeconds?: number | undefined
  from?: Date | undefined
  to?: Date | undefined
}

function checkRange(body: RangeFields, context: z.core.$RefinementCtx): void {
  const complain = (field: string, message: string) =>
    context.issues.push({ code: 'custom', path: [field], message, input: body })
  const ways = [body.durationMinutes, body.lastSeconds, body.from ?? body.to].filter((way) => way !== undefined)
  if (ways.length !== 1) complain('range', 'exactly one of durationMinutes, lastSeconds, or from and to')
  if ((body.from === undefined) !== (body.to === undefined))
    complain(body.from ? 'to' : 'from', 'from and to go together')
  if (body.from && body.to && body.from >= body.to) complain('to', 'later than from')
}

/** What `checkRange` wants, as JSON Schema says it: one way, and nothing of the others. */
const WAYS = [['durationMinutes'], ['lastSeconds'], ['from', 'to']].map((required) => {
  const others = ['durationMinutes', 'lastSeconds', 'from', 'to'].filter((name) => !required.includes(name))
  return { required, properties: Object.fromEntries(others.map((name) => [name, false])) }
})

/** What is captured of one session. */
export const captureBody = z.strictObject(fields).superRefine(checkRange).meta({ oneOf: WAYS })

/** What is captured of whatever `userId`, or the caller, shared in a room, in one session or several. */
export const roomCaptureBody = z
  .strictObject({ ...fields, room: roomName })
  .superRefine(checkRange)
  .meta({ oneOf: WAYS })

export type CaptureBody = z.output<typeof captureBody>

export interface Wanted {
  from: Date
  to: Date
  pressedAt: Date
}

/**
 * The range that a request means. The press is its arrival, or the client's own clock if
 * that lies within the last minute. Throws `invalid_request` for one that reaches beyond
 * the press or is longer than the buffer.
 */
export function wantedRange(body: CaptureBody, arrivedAt: Date, bufferDurationMs: number): Wanted {
  const age = body.pressedAt ? arrivedAt.getTime() - body.pressedAt.getTime() : undefined
  const isTrusted = age !== undefined && age >= 0 && age <= PRESSED_WITHIN_MS
  const pressedAt = isTrusted && body.pressedAt ? body.pressedAt : arrivedAt
  const lengthMs = body.durationMinutes ? body.durationMinutes * 60_000 : (body.lastSeconds ?? 0) * 1000
  const to = body.to ?? pressedAt
  const from = body.from ?? new Date(to.getTime() - lengthMs)
  if (to.getTime() > arrivedAt.getTime() + 1000) throw new AppError('invalid_request', 'to: not in the future')
  if (to.getTime() - from.getTime() > bufferDurationMs)
    throw new AppError('invalid_request', `the range: at most ${bufferDurationMs / 60_000} minutes are kept`)
  return { from, to, pressedAt }
}

/** `Prefer` (RFC 7240): whether to answer at once, and how long to wait otherwise. */
export function readPrefer(header: string | undefined): { isAsync: boolean; waitMs: number | undefined } {
  const preferences = (header ?? '').split(',').map((preference) => preference.trim().toLowerCase())
  const wait = preferences.map((preference) => /^wait=(\d{1,4})$/.exec(preference)?.[1]).find(Boolean)
  return {
    isAsync: preferences.includes('respond-async'),
    waitMs: wait === undefined ? undefined : Number(wait) * 1000,
  }
}
