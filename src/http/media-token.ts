import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { AppError } from '../errors.ts'
import type { ApiKey } from '../livekit/access-token.ts'

/** Signs and checks the links that a `<video>` element uses, which cannot send a header. */
export interface MediaTokens {
  /** Good for this one thing, `clip:<id>` or `session:<id>`, for an hour. */
  sign(subject: string): string
  /** Throws `link_invalid` for a link that was not made here or is for something else, and `link_expired`. */
  check(subject: string, token: string): void
}

const LIFETIME_SECONDS = 3600

/**
 * The keys are derived from the API secrets, so that every instance has the same and none
 * is stored. A link outlives the rotation of the secret that made it.
 */
export function createMediaTokens(apiKeys: ApiKey[], now: () => Date): MediaTokens {
  const keys = apiKeys.map(({ apiSecret }) =>
    Buffer.from(hkdfSync('sha256', apiSecret, '', 'livekit-replay media links', 32)),
  )
  const mac = (key: Buffer, subject: string, expires: string) =>
    createHmac('sha256', key).update(`${subject}:${expires}`).digest().subarray(0, 18).toString('base64url')
  return {
    sign(subject) {
      const [key] = keys
      if (!key) throw new Error('there is no key to sign links with')
      // The same link for some minutes: a player that asks twice finds its cache.
      const seconds = Math.ceil(now().getTime() / 300_000) * 300 + LIFETIME_SECONDS
      const expires = seconds.toString(36)
      return `${expires}.${mac(key, subject, expires)}`
    },
    check(subject, token) {
      const [expires = '', given = ''] = token.split('.')
      if (!keys.some((key) => isSame(mac(key, subject, expires), given)))
        throw new AppError('link_invalid', 'token: this link is for something else, or was changed')
      if (Number.parseInt(expires, 36) * 1000 <= now().getTime())
        throw new AppError('link_expired', 'token: this link has expired')
    },
  }
}

/** As text: base64 has more than one way to say the same bytes. */
function isSame(wanted: string, given: string): boolean {
  const [a, b] = [Buffer.from(wanted), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}
