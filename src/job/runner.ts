import { EventEmitter } from 'node:events'
import { Logger, run, runMigrations, type Runner, type TaskList, type WorkerEvents } from 'graphile-worker'
import type pg from 'pg'
import { errorFields, type Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { jobOfNode, MAX_ATTEMPTS, NODE_JOBS, type JobName, type JobPayloads } from './jobs.ts'
import type { Stop } from './stop.ts'
import { holdWorkerLock } from './worker-lock.ts'

export interface Attempt {
  /** The last one: who fails now should say so where it can be seen. */
  last: boolean
}

/** A function for each job. Each is idempotent: it may run again after it succeeded. */
export type JobTable = { [N in JobName]: (payload: JobPayloads[N], attempt: Attempt) => Promise<unknown> }

export interface RunnerDeps {
  pool: pg.Pool
  connectionString: string
  log: Log
}

export interface NodeDeps extends RunnerDeps {
  /** Does this node's own jobs beside those that are anyone's. */
  node: string
  metrics?: Pick<Metrics, 'jobRan'> | undefined
}

const CONCURRENCY = 8
const RESTART_MS = 1000

/** Makes graphile-worker's own tables. Safe when several instances do it at once. */
export async function migrateJobs(deps: RunnerDeps): Promise<void> {
  await runMigrations({ pgPool: deps.pool, logger: quietLogger(deps.log) })
}

export interface Jobs {
  /** What is wrong with their runner, in words. */
  trouble(): string | undefined
  stop: Stop
}

/** Works through the jobs until stopped; begins again by itself when the database went away. */
export async function startJobs(deps: NodeDeps, jobs: JobTable): Promise<Jobs> {
  let stopping = false
  let isRunning = true
  let current = await startPool(deps, jobs)
  let waiting: (() => void) | undefined

  const supervise = async (): Promise<void> => {
    while (!stopping) {
      await current.runner.promise.catch((error: unknown) => deps.log.debug('job runner ended', errorFields(error)))
      isRunning = false
      await current.unlock()
      while (!stopping) {
        const next = await startPool(deps, jobs).catch(() => undefined)
        if (next) {
          await freeJobsOf(deps, current.poolId)
          current = next
          isRunning = true
          deps.log.info('job runner restarted')
          break
        }
        await new Promise<void>((resolve) => {
          waiting = resolve
          setTimeout(resolve, RESTART_MS).unref()
        })
      }
    }
  }
  const supervised = supervise()
  return {
    trouble: () => (isRunning ? undefined : 'their runner is being started again'),
    async stop() {
      stopping = true
      waiting?.()
      await current.runner.stop().catch(() => undefined)
      await supervised
    },
  }
}

interface Pool {
  poolId: string
  runner: Runner
  unlock: Stop
}

async function startPool(deps: NodeDeps, jobs: JobTable): Promise<Pool> {
  const events: WorkerEvents = new EventEmitter()
  const created = new Promise<string>((resolve) => {
    events.once('pool:create', ({ workerPool }) => resolve(workerPool.id))
  })
  logFailures(events, deps.log)
  nudgeAfterJobs(events)
  const runner = await run({
    pgPool: deps.pool,
    concurrency: CONCURRENCY,
    noHandleSignals: true,
    pollInterval: 1000,
    logger: quietLogger(deps.log),
    taskList: taskList(deps, jobs),
    events,
    preset: { worker: END_IN_BATCHES },
  })
  const poolId = await created
  const unlock = await holdWorkerLock(deps.connectionString, poolId, deps.log).catch(async (error: unknown) => {
    // Its jobs would be taken for a dead one's.
    await runner.stop().catch(() => undefined)
    throw error
  })
  return { poolId, runner, unlock }
}

/** What it had when the database went away is done again at once, and what waits behind it is not held up. */
async function freeJobsOf({ pool, log }: NodeDeps, poolId: string): Promise<void> {
  await pool.query('select graphile_worker.force_unlock_workers($1::text[])', [[poolId]]).catch((error: unknown) => {
    log.debug('jobs not freed yet', { poolId, ...errorFields(error) })
  })
}

/**
 * In batches (of what ends within one turn) graphile-worker answers for an end that it
 * cannot write down: the pool stops, and begins again above. One by one, nobody waits
 * for that promise, and a database that goes away in that moment ends the process.
 */
const END_IN_BATCHES = { completeJobBatchDelay: 0, failJobBatchDelay: 0 }

const NUDGE_MS = [20, 100, 400]

/**
 * graphile-worker looks for its next job while the last one is still being marked as
 * done, so the next of the same queue is not free yet, and would wait for the poll.
 */
function nudgeAfterJobs(events: WorkerEvents): void {
  const timers = new Set<NodeJS.Timeout>()
  let ending = false
  events.on('job:complete', ({ worker }) => {
    for (const delay of ending ? [] : NUDGE_MS) {
      const timer = setTimeout(() => {
        timers.delete(timer)
        worker.nudge()
      }, delay)
      timers.add(timer)
    }
  })
  // A worker that has ended must not be nudged.
  const end = () => {
    ending = true
    timers.forEach((timer) => clearTimeout(timer))
  }
  events.on('pool:gracefulShutdown', end)
  events.on('pool:forcefulShutdown', end)
  events.on('worker:release', end)
}

function taskList({ log, node, metrics }: NodeDeps, jobs: JobTable): TaskList {
  const task = (name: JobName): TaskList[string] => {
    const work = jobs[name] as (payload: unknown, attempt: Attempt) => Promise<unknown>
    return async (payload, { job }) => {
      const last = job.attempts >= job.max_attempts
      const startedAt = performance.now()
      const tell = (outcome: 'done' | 'failed') => metrics?.jobRan(name, outcome, performance.now() - startedAt)
      const outcome = await work(payload, { last }).catch((error: unknown) => {
        tell('failed')
        throw error
      })
      tell('done')
      log.debug('job done', { job: name, ...(payload as object), outcome })
    }
  }
  const names = Object.keys(MAX_ATTEMPTS) as JobName[]
  return Object.fromEntries([
    ...names.map((name) => [name, task(name)] as const),
    ...NODE_JOBS.map((name) => [jobOfNode(name, node), task(name)] as const),
  ])
}

function logFailures(events: WorkerEvents, log: Log): void {
  events.on('job:error', ({ job, error }) => {
    const fields = {
      job: job.task_identifier,
      ...(job.payload as object),
      attempt: job.attempts,
      ...errorFields(error),
    }
    if (job.attempts >= job.max_attempts) log.error('job given up', fields)
    else log.warn('job failed and will be tried again', fields)
  })
}

/** What graphile-worker says of itself is for debugging; what a job's fate is, is logged above. */
function quietLogger(log: Log): Logger {
  return new Logger(() => (level, message) => log.debug('graphile-worker', { level, said: message }))
}
