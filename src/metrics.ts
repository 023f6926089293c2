import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { createFigures, type Figures } from './metrics-figures.ts'

/*
 * What is counted for `/metrics`. The only importer of prom-client, with its figures:
 * the rest of the code is handed functions that take what happened. A registry of its
 * own for each service, so that several live in one process. Times are seconds, sizes
 * bytes; no label holds who or where (a room, a user), only what kind and, of the
 * clocks, which session.
 */

export interface Metrics {
  /** Segments are in the index. The lag is how old the end of the newest is, unless they are late for another reason. */
  landed(segments: { count: number; unreadable: number; lagMs: number | undefined }): void
  /** A clip is ready, or failed, so long after its press. */
  captureSettled(result: 'ready' | 'failed', sincePressMs: number): void
  /** A capture was refused, for the reason of this code. */
  captureRefused(code: string): void
  webhookReceived(event: string, outcome: string): void
  livekitCalled: (method: string, outcome: string, tookMs: number) => void
  jobRan(task: string, outcome: 'done' | 'failed', tookMs: number): void
  scheduleRan(schedule: string, counts: Record<string, number> | undefined, tookMs: number): void
  requestAnswered(request: AnsweredRequest): void
  /** Adds what node says of this process; for one service in a process. */
  watchProcess: () => void
  /** All of it with these figures, as Prometheus reads it. */
  text(figures: Figures): Promise<string>
  readonly contentType: string
}

export interface AnsweredRequest {
  method: string
  /** The route's template, so that there are as many as there are routes. */
  route: string
  /** `aborted` if the client left before the end. */
  status: string
  tookMs: number
  sentBytes: number
}

/** From a quick answer to one that waited for its segment. */
const QUICK = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** A segment lands `D + 0.67 s` after its end (contract section 9), and a press waits up to `2 D + 3 s`. */
const LANDING = [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 7, 10, 15, 30]

/** Counts from zero. `version` is that of this program. */
export function createMetrics(version: string): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `replay_${name}`, help, labelNames, registers })
  const histogram = (name: string, help: string, labelNames: string[], buckets: number[]) =>
    new Histogram({ name: `replay_${name}`, help, labelNames, buckets, registers })
  const setFigures = createFigures(registry)
  const info = new Gauge({ name: 'replay_build_info', help: 'Which version runs.', labelNames: ['version'], registers })
  info.set({ version }, 1)
  return {
    ...recordingMetrics(counter, histogram),
    ...workMetrics(counter, histogram),
    ...requestMetrics(counter, histogram),
    watchProcess: () => collectDefaultMetrics({ register: registry, prefix: 'replay_' }),
    text: (figures) => {
      setFigures(figures)
      return registry.metrics()
    },
    contentType: registry.contentType,
  }
}

type MakeCounter = (name: string, help: string, labelNames?: string[]) => Counter
type MakeHistogram = (name: string, help: string, labelNames: string[], buckets: number[]) => Histogram

function recordingMetrics(counter: MakeCounter, histogram: MakeHistogram) {
  const segments = counter('segments_landed_total', 'Segments that this instance took into the index.')
  const unreadable = counter('segments_unreadable_total', 'Those of them that could not be read.')
  const lag = histogram('landing_lag_seconds', 'How old the end of a segment is when its row is there.', [], LANDING)
  const captures = counter('captures_total', 'Captures: ready, failed, or the error code of a refusal.', ['result'])
  // Rates see a series only from its second value on: those that alerts wait for begin at 0.
  for (const result of ['ready', 'failed', 'storage_full']) captures.inc({ result }, 0)
  const ready = histogram('press_to_ready_seconds', 'From the press to a clip that is ready.', [], [...LANDING, 60])
  return {
    landed: ({ count, unreadable: bad, lagMs }) => {
      segments.inc(count)
      if (bad > 0) unreadable.inc(bad)
      if (lagMs !== undefined) lag.observe(lagMs / 1000)
    },
    captureSettled: (result, sincePressMs) => {
      captures.inc({ result })
      if (result === 'ready') ready.observe(Math.max(0, sincePressMs) / 1000)
    },
    captureRefused: (code) => captures.inc({ result: code }),
  } satisfies Partial<Metrics>
}

function workMetrics(counter: MakeCounter, histogram: MakeHistogram) {
  const webhooks = counter('webhooks_total', 'Webhooks from LiveKit, and what each did.', ['event', 'outcome'])
  webhooks.inc({ event: 'unknown', outcome: 'bad_signature' }, 0)
  const livekit = histogram(
    'livekit_call_duration_seconds',
    'Calls to LiveKit: ok, refused, or unavailable.',
    ['method', 'outcome'],
    QUICK,
  )
  const jobs = histogram('job_duration_seconds', 'Runs of jobs; store_clip writes files.', ['task', 'outcome'], QUICK)
  const schedules = histogram('schedule_duration_seconds', 'Runs of schedules.', ['schedule', 'outcome'], QUICK)
  const counted = counter('schedule_counts_total', 'What schedules did, in numbers.', ['schedule', 'what'])
  return {
    webhookReceived: (event, outcome) => webhooks.inc({ event, outcome }),
    livekitCalled: (method, outcome, tookMs) => livekit.observe({ method, outcome }, tookMs / 1000),
    jobRan: (task, outcome, tookMs) => jobs.observe({ task, outcome }, tookMs / 1000),
    scheduleRan: (schedule, counts, tookMs) => {
      schedules.observe({ schedule, outcome: counts ? 'done' : 'failed' }, tookMs / 1000)
      for (const [what, count] of Object.entries(counts ?? {})) counted.inc({ schedule, what }, count)
    },
  } satisfies Partial<Metrics>
}

function requestMetrics(counter: MakeCounter, histogram: MakeHistogram) {
  const labels = ['method', 'route', 'status']
  const requests = histogram('http_request_duration_seconds', 'Requests, but for streams of events.', labels, QUICK)
  const errors = counter('internal_errors_total', 'Answers with status 500: each is in the log, by its errorId.')
  const sent = counter('http_sent_bytes_total', 'Bytes of answers that were sent whole.', ['route'])
  return {
    requestAnswered: ({ method, route, status, tookMs, sentBytes }) => {
      requests.observe({ method, route, status }, tookMs / 1000)
      if (status === '500') errors.inc()
      if (sentBytes > 0) sent.inc({ route }, sentBytes)
    },
  } satisfies Partial<Metrics>
}
