import type { TimedVersion } from '@livekit/protocol'

/** From here on neither ISO 8601 nor Postgres writes years as it did before. */
const YEAR_10_000_MS = Date.UTC(10_000, 0)

/** An instant that LiveKit told; undefined for one that cannot be, which no table would take. */
export function instantAt(ms: number): Date | undefined {
  return ms >= 0 && ms < YEAR_10_000_MS ? new Date(ms) : undefined
}

/** When a track was last changed, which for most is when it was published: to the ms, where `createdAt` has seconds. */
export function instantOf(version: TimedVersion | undefined): Date | undefined {
  const micros = version?.unixMicro ?? 0n
  return micros > 0n ? instantAt(Number(micros / 1000n)) : undefined
}
