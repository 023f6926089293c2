/*
 * How far behind the picture a session's segments land, and whether that changes. Pure.
 * Lag is the wall clock of a landing minus that of the segment's end. It is constant in
 * one egress (contract section 9), so a change of it is a clock that ran away: egress
 * counts media time on a clock that nobody corrects.
 */

export interface LandingFigures {
  lagMs: number
  /** Lag now minus what it was at first. */
  driftMs: number
}

export interface LandingClock {
  /** The session clock's origin that these figures belong to. */
  originMs: number
  /** The least of the first lags. */
  baseMs: number
  count: number
  beyond: number
  figures: LandingFigures
  /** The drift has been told of. */
  isTold: boolean
}

/** Landings that say what is usual. */
const SETTLING = 5
const DRIFT_LIMIT_MS = 2000
/** One late landing is a slow disk; so many in a row are a clock. */
const BEYOND_LIMIT = 3

/** Takes note of a landing. `isDrifting` is true once a session: when the drift has passed 2 s and stays there. */
export function noteLanding(
  before: LandingClock | undefined,
  originMs: number,
  segmentEndMs: number,
  landedAtMs: number,
): { clock: LandingClock; isDrifting: boolean } {
  const lagMs = landedAtMs - originMs - segmentEndMs
  const known = before?.originMs === originMs ? before : undefined
  const count = (known?.count ?? 0) + 1
  const baseMs = known && known.count >= SETTLING ? known.baseMs : Math.min(known?.baseMs ?? Infinity, lagMs)
  const driftMs = count > SETTLING ? lagMs - baseMs : 0
  const beyond = Math.abs(driftMs) > DRIFT_LIMIT_MS ? (known?.beyond ?? 0) + 1 : 0
  const wasTold = before?.isTold ?? false
  const isDrifting = !wasTold && beyond >= BEYOND_LIMIT
  return {
    clock: { originMs, baseMs, count, beyond, figures: { lagMs, driftMs }, isTold: wasTold || isDrifting },
    isDrifting,
  }
}
