/*
 * Who is signed in: a LiveKit access token, kept for this tab alone and never in the
 * address. Only the service verifies it; the page reads what it says of itself.
 */

const KEY = 'livekit-replay.token'

/**
 * @typedef {object} Claims
 * @property {string | undefined} userId
 * @property {string | undefined} name
 * @property {string | undefined} room
 * @property {boolean} isAdmin acts for anyone in the room
 * @property {boolean} isBackend acts for anyone in any room
 * @property {number} expiresAtMs
 */

/** The token that the address came with, which is taken out of it, or the one that this tab has. */
export function takeToken() {
  const { hash, pathname, search } = window.location
  const given = new URLSearchParams(hash.slice(1)).get('token')
  if (given === null) return sessionStorage.getItem(KEY) ?? undefined
  window.history.replaceState(null, '', `${pathname}${search}#/`)
  keepToken(given)
  return given
}

/** @param {string} token */
export function keepToken(token) {
  sessionStorage.setItem(KEY, token)
}

export function forgetToken() {
  sessionStorage.removeItem(KEY)
}

/**
 * What a token says; undefined for what is none.
 * @param {string} token
 * @returns {Claims | undefined}
 */
export function readClaims(token) {
  const [, middle, signature] = token.split('.')
  if (middle === undefined || signature === undefined) return undefined
  try {
    const bytes = Uint8Array.from(atob(middle.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.codePointAt(0) ?? 0)
    const claims = JSON.parse(new TextDecoder().decode(bytes))
    const video = claims.video ?? {}
    return {
      userId: claims.sub || undefined,
      name: claims.name || undefined,
      room: video.roomJoin || video.roomAdmin ? video.room : undefined,
      isAdmin: video.roomAdmin === true,
      isBackend: video.roomRecord === true,
      expiresAtMs: Number(claims.exp ?? 0) * 1000,
    }
  } catch {
    return undefined
  }
}

/**
 * Whether a clip of this share may be made, as the service will see it.
 * @param {Claims} claims
 * @param {{ room: string, userId: string }} session
 */
export function mayKeep(claims, session) {
  if (claims.isBackend) return true
  return claims.room === session.room && (claims.isAdmin || claims.userId === session.userId)
}
