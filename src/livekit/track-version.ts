import type { TimedVersion } from '@livekit/protocol'

/** When a track was last changed, which for most is when it was published: to the ms, where `createdAt` has seconds. */
export function instantOf(version: TimedVersion | undefined): Date | undefined {
  const micros = version?.unixMicro ?? 0n
  return micros > 0n ? new Date(Number(micros / 1000n)) : undefined
}
