import { z } from 'zod'

/*
 * What may be said to us, in parts. The same schemas validate and describe: the OpenAPI
 * document is made of them. No pattern here can be made slow (each is one pass).
 */

/** Control characters are in no name, and Postgres takes no NUL in a text. */
// oxlint-disable-next-line no-control-regex -- they are what is refused
const NO_CONTROLS = /^[^\u0000-\u001f\u007f-\u009f]*$/
// oxlint-disable-next-line no-control-regex -- as above, and one that can be seen
const SOMETHING_TO_SEE = /^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$/

/** Characters as a reader counts them, not UTF-16 units: JSON Schema and Postgres count so too. */
const within = (max: number) => (value: string) => value !== '' && Array.from(value).length <= max

/** A name of LiveKit's or of a user's making. */
export const nameText = (what: string, max: number) =>
  z
    .string(what)
    .regex(NO_CONTROLS, `${what}, without control characters`)
    .refine(within(max), `${what}, 1 to ${max} characters`)
    .meta({ minLength: 1, maxLength: max })

export const roomName = nameText('the name of a room', 512)
export const userName = nameText('the identity of a user', 512)
export const communityName = nameText('the id of a community', 200)

const TITLE = '1 to 200 characters'

export const titleText = z
  .string(TITLE)
  .regex(SOMETHING_TO_SEE, TITLE)
  .trim()
  .refine(within(200), TITLE)
  .meta({ minLength: 1, maxLength: 200 })

/** Nothing was recorded before; and Postgres knows years that ISO 8601 does not write, and the other way round. */
const EARLIEST_MS = Date.UTC(2000, 0)

export const instant = z.iso
  .datetime({ offset: true, error: 'an instant, for example 2026-11-22T17:02:00.000Z' })
  .transform((iso) => new Date(iso))
  .refine((date) => date.getTime() >= EARLIEST_MS, 'an instant since 2000')

export const wholeNumber = (min: number, max: number) =>
  z.coerce
    .number(`a whole number from ${min} to ${max}`)
    .int(`a whole number from ${min} to ${max}`)
    .min(min, `a whole number from ${min} to ${max}`)
    .max(max, `a whole number from ${min} to ${max}`)
