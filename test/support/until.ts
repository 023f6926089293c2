import { setTimeout as pause } from 'node:timers/promises'

/** Looks until it sees something (not undefined, not false), and fails after a limit. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + limitMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (Date.now() > deadline) throw new Error(`${what}: not seen within ${limitMs} ms`)
    await pause(20)
  }
}
