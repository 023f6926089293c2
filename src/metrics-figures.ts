import { Gauge, type Registry } from 'prom-client'

/** What is read when `/metrics` is asked for, and not counted as it happens. */
export interface Figures {
  /** Undefined while the database is away: a figure that is not known is not there. */
  database: DatabaseFigures | undefined
  /** Of this node's buffer and storage paths. */
  volumes: { volume: 'buffer' | 'storage'; freeBytes: number; sizeBytes: number }[]
  isDiskFull: boolean | undefined
  /** Of the sessions that land here and live. */
  clocks: { sessionId: string; lagMs: number; driftMs: number }[]
  eventStreams: number
  /** Each part that `/readyz` names, and whether it is well. */
  parts: Record<string, boolean>
}

/** `sessions`, `jobs` and `clipBytes` are of all instances together, so each of them says the same. */
export interface DatabaseFigures {
  sessions: Record<string, number>
  jobs: { task: string; state: string; count: number }[]
  clipBytes: number
  /** Of this node's disk. */
  bufferBytes: number
}

/** Sets each gauge anew, so that a session's series end with it. */
export function createFigures(registry: Registry): (figures: Figures) => void {
  const registers = [registry]
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `replay_${name}`, help, labelNames, registers })
  const gauges = {
    sessions: gauge('sessions', 'Sessions that have a buffer, by state; of all instances together.', ['status']),
    jobs: gauge('jobs', 'Jobs by task: ready, delayed, running, failed; of all instances together.', ['task', 'state']),
    clips: gauge('clip_bytes', "Bytes of all users' clips; of all instances together."),
    buffer: gauge('buffer_bytes', "Bytes of the segments on this node's disk."),
    free: gauge('volume_free_bytes', 'Bytes that may still be written there.', ['volume']),
    used: gauge('volume_used_bytes', 'Bytes that are used there, by whomever.', ['volume']),
    full: gauge('disk_full', '1: less is free than is kept free, captures are refused.'),
    lag: gauge('session_clock_lag_seconds', "The newest segment's lag, of each live session here.", ['session']),
    drift: gauge('session_clock_drift_seconds', 'How far that lag moved since the session began.', ['session']),
    streams: gauge('event_streams', 'Clients that follow /v1/events here.'),
    parts: gauge('part_ok', '1: /readyz says of this part that it is well.', ['part']),
  }
  return (figures) => {
    for (const one of Object.values(gauges)) one.reset()
    setDatabase(gauges, figures.database)
    for (const { volume, freeBytes, sizeBytes } of figures.volumes) {
      gauges.free.set({ volume }, freeBytes)
      gauges.used.set({ volume }, sizeBytes - freeBytes)
    }
    if (figures.isDiskFull === undefined) gauges.full.remove()
    else gauges.full.set(figures.isDiskFull ? 1 : 0)
    for (const { sessionId: session, lagMs, driftMs } of figures.clocks) {
      gauges.lag.set({ session }, lagMs / 1000)
      gauges.drift.set({ session }, driftMs / 1000)
    }
    gauges.streams.set(figures.eventStreams)
    for (const [part, isOk] of Object.entries(figures.parts)) gauges.parts.set({ part }, isOk ? 1 : 0)
  }
}

type DatabaseGauges = Record<'sessions' | 'jobs' | 'clips' | 'buffer', Gauge>

function setDatabase({ sessions, jobs, clips, buffer }: DatabaseGauges, figures: DatabaseFigures | undefined): void {
  if (!figures) {
    clips.remove()
    buffer.remove()
    return
  }
  for (const [status, count] of Object.entries(figures.sessions)) sessions.set({ status }, count)
  for (const { task, state, count } of figures.jobs) jobs.set({ task, state }, count)
  clips.set(figures.clipBytes)
  buffer.set(figures.bufferBytes)
}
