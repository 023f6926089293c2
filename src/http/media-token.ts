import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** Signs and checks the links that a `<video>` element uses, which cannot send a header. */
export interface MediaTokens {
  /** Good for this one thing, `clip:<id>` or `session:<id>`, for an hour. */
  sign(subject: string): string
  verify(subject: string, token: string): boolean
}

const LIFETIME_SECONDS = 3600

/** The key is derived from the API secret, so that every instance has the same and none is stored. */
export function createMediaTokens(apiSecret: string, now: () => Date): MediaTokens {
  const key = Buffer.from(hkdfSync('sha256', apiSecret, '', 'livekit-replay media links', 32))
  const mac = (subject: string, expires: string) =>
    createHmac('sha256', key).update(`${subject}:${expires}`).digest().subarray(0, 18)
  return {
    sign(subject) {
      // The same link for some minutes: a player that asks twice finds its cache.
      const seconds = Math.ceil(now().getTime() / 300_000) * 300 + LIFETIME_SECONDS
      const expires = seconds.toString(36)
      return `${expires}.${mac(subject, expires).toString('base64url')}`
    },
    verify(subject, token) {
      const [expires = '', given = ''] = token.split('.')
      const wanted = mac(subject, expires)
      const signature = Buffer.from(given, 'base64url')
      if (signature.length !== wanted.length || !timingSafeEqual(signature, wanted)) return false
      return Number.parseInt(expires, 36) * 1000 > now().getTime()
    },
  }
}
