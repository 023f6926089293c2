/** A number in [0, 1). */
export type Random = () => number

/** mulberry32: small, and the same seed gives the same faults again. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

// LiveKit's alphabet: base 57, without look-alikes.
const ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

export function randomText(length: number): string {
  return Array.from({ length }, () => ALPHABET[Math.floor(Math.random() * ALPHABET.length)]).join('')
}

/**
 * An id in LiveKit's form, `EG_` and twelve signs. Never seeded: two simulators with one seed must not give the same ids,
 * for a service remembers webhooks by their id.
 */
export function newId(prefix: string): string {
  return prefix + randomText(12)
}
