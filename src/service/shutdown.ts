import type { Stop } from '../job/stop.ts'
import { errorFields, type Log } from '../log.ts'

/*
 * The end, in phases. What a phase stops is stopped at once, a phase has its limit, and
 * what does not end within it is left: whatever was answered with success is in the
 * database, and what was under way is taken up by the next start or by another instance.
 */

/** In this order: nothing new comes in, nothing new is begun, nothing more is landed, and then what all of it needs. */
export const PHASES = ['http', 'work', 'watcher', 'database', 'postgres'] as const
export type Phase = (typeof PHASES)[number]

export type PhaseLimits = Record<Phase, number>

/** 24 s beside a Postgres of one's own: less than the 30 s that Kubernetes and the compose file give. */
export const PHASE_LIMITS_MS: PhaseLimits = {
  http: 10_000,
  work: 8000,
  watcher: 3000,
  database: 3000,
  postgres: 20_000,
}

export interface Shutdown {
  /** What the phase has to stop. */
  add(phase: Phase, stop: Stop): void
  /** Resolves within the sum of the limits, whatever hangs. A second call waits for the same end. */
  stop: Stop
}

/** Collects what was started, phase by phase. */
export function createShutdown(log: Log, limits: PhaseLimits = PHASE_LIMITS_MS): Shutdown {
  const stops = new Map<Phase, Stop[]>()
  let stopped: Promise<void> | undefined
  return {
    add: (phase, stop) => void stops.set(phase, [...(stops.get(phase) ?? []), stop]),
    stop: () => {
      stopped ??= stopInOrder(stops, limits, log)
      return stopped
    },
  }
}

async function stopInOrder(stops: Map<Phase, Stop[]>, limits: PhaseLimits, log: Log): Promise<void> {
  for (const phase of PHASES) {
    const parts = stops.get(phase)
    if (parts) await stopPhase(phase, parts, limits[phase], log)
  }
}

async function stopPhase(phase: Phase, parts: Stop[], limitMs: number, log: Log): Promise<void> {
  const startedAt = performance.now()
  const stopPart = async (stop: Stop): Promise<void> => {
    await stop().catch((error: unknown) => log.error('a part did not stop cleanly', { phase, ...errorFields(error) }))
  }
  let timer: NodeJS.Timeout | undefined
  const cut = new Promise<'cut'>((resolve) => {
    timer = setTimeout(() => resolve('cut'), limitMs)
  })
  const outcome = await Promise.race([Promise.all(parts.map(stopPart)), cut])
  clearTimeout(timer)
  const tookMs = Math.round(performance.now() - startedAt)
  if (outcome === 'cut') log.warn('shutdown phase cut off', { phase, limitMs })
  else log.info('shutdown phase done', { phase, tookMs })
}
