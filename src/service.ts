import { join } from 'node:path'
import type pg from 'pg'
import { finishWaitingClips } from './capture/finish-clip.ts'
import { rehearse } from './capture/rehearse.ts'
import { systemNow, type Now } from './clock.ts'
import type { Config } from './config.ts'
import { createDb, createPool, type Db } from './db/connect.ts'
import { startEmbeddedPostgres } from './db/embedded.ts'
import { startListener, type Listener } from './db/listen.ts'
import { migrate } from './db/migrate.ts'
import { createApp } from './http/app.ts'
import { startServer } from './http/server.ts'
import { migrateJobs, startJobs, type Jobs } from './job/runner.ts'
import { startSchedules } from './job/schedules.ts'
import type { Stop } from './job/stop.ts'
import { freeJobsOfDeadWorkers } from './job/worker-lock.ts'
import { errorFields, type Log } from './log.ts'
import { createMetrics } from './metrics.ts'
import { readFigures } from './operate/read-figures.ts'
import { readReadiness } from './operate/readiness.ts'
import type { Reached } from './segment/land-segment.ts'
import { joinInstances, ownUrl, type Instances } from './segment/instances.ts'
import { createLander, createLanderHere } from './segment/lander.ts'
import { createTurns } from './segment/turns.ts'
import { startWatcher, type Watcher } from './segment/watcher.ts'
import { startEventHub } from './notify/event-hub.ts'
import { createDeps, logAs, type Deps } from './service/deps.ts'
import { createShutdown, type PhaseLimits, type Shutdown } from './service/shutdown.ts'
import { createSchedules, jobTable, scheduleTable, type ScheduleRuns } from './service/work.ts'
import { readVersion } from './version.ts'

/** What tests stand in for. */
export interface Overrides {
  now?: Now
  log: Log
  /** Lands in this thread, and is told of each step that a kill may follow. */
  reached?: Reached
  /** Schedules are run by hand: a clock that jumps would make a session look silent. */
  withoutTicks?: boolean
  /** How long each phase of the end may take. */
  phaseLimitsMs?: PhaseLimits
}

export interface Service {
  /** Where it answers, once started. */
  readonly url: string
  readonly db: Db
  readonly schedules: ScheduleRuns
  /** Adds to the metrics what node says of this process; for the one service of a process. */
  watchProcess(): void
  /** Makes the first press as quick as the next; for a service that stays. */
  rehearse(): Promise<void>
  stop: Stop
}

/**
 * Starts everything, in this order: database, tables, watcher with its back-fill, jobs,
 * schedules, HTTP. It is stopped in phases, the other way round, also when a later part fails.
 */
export async function startService(config: Config, overrides: Overrides): Promise<Service> {
  const { now = systemNow, log, reached } = overrides
  const shutdown = createShutdown(log, overrides.phaseLimitsMs)
  try {
    const { connectionString, pool, db, listener } = await startDatabase(config, log.child('db'), shutdown)
    const metrics = createMetrics(readVersion())
    const deps = createDeps(config, db, now, log, metrics)
    const watcher = await watchBuffers(deps, listener, reached, shutdown)
    const forget = (sessionId: string) => watcher.forget(sessionId)
    const retention = { ...deps, forget, reached }
    // Once the jobs have ended.
    shutdown.add('watcher', () => deps.clipWriter.stop())
    const jobs = await startJobs({ ...logAs(deps, 'job'), pool, connectionString }, jobTable(deps, retention))
    shutdown.add('work', () => jobs.stop())
    const schedules = createSchedules(deps, retention, () => watcher.scan())
    if (!overrides.withoutTicks)
      shutdown.add('work', startSchedules(logAs(deps, 'job'), scheduleTable(schedules, config.node)))
    const url = await answer(deps, { listener, watcher, jobs }, shutdown)
    return {
      url,
      db,
      schedules,
      watchProcess: metrics.watchProcess,
      rehearse: () => rehearse(deps),
      stop: shutdown.stop,
    }
  } catch (error) {
    await shutdown.stop()
    throw error
  }
}

interface Database {
  connectionString: string
  pool: pg.Pool
  db: Db
  listener: Listener
}

/** With its tables as this version wants them. */
async function startDatabase(config: Config, log: Log, shutdown: Shutdown): Promise<Database> {
  const connectionString = config.databaseUrl ?? (await startOwnPostgres(config, log, shutdown))
  const pool = createPool(connectionString, log)
  const db = createDb(pool)
  shutdown.add('database', () => db.destroy())
  await migrate(db, log)
  await migrateJobs({ pool, connectionString, log })
  await freeJobsOfDeadWorkers(db)
  const listener = await startListener(connectionString, log)
  shutdown.add('database', () => listener.stop())
  return { connectionString, pool, db, listener }
}

async function startOwnPostgres(config: Config, log: Log, shutdown: Shutdown): Promise<string> {
  const embedded = await startEmbeddedPostgres(join(config.dataPath, 'postgres'), log)
  shutdown.add('postgres', () => embedded.stop())
  return embedded.connectionString
}

/** Resolves when what landed before is in the index. Clips that wait are told of what lands, and of what ends. */
async function watchBuffers(
  deps: Deps,
  listener: Listener,
  reached: Reached | undefined,
  shutdown: Shutdown,
): Promise<Watcher> {
  const capture = logAs(deps, 'capture')
  const finish = (sessionId: string, first?: () => Promise<void>) => {
    finishWaitingClips(capture, sessionId, first).catch((error: unknown) => {
      capture.log.warn('waiting clips not finished yet', { sessionId, ...errorFields(error) })
    })
  }
  const lander = reached ? createLanderHere(reached) : createLander()
  const turns = createTurns(4)
  const watcher = await startWatcher(
    { ...logAs(deps, 'segment'), turns, land: lander.land, onAwaited: finish, reached },
    { polling: deps.config.watchPolling },
  )
  // The end of a session is the end of waiting for it, once its last segments are in the index.
  const unlisten = listener.onAny('session_changed', (id) => finish(id, () => watcher.look(id)))
  shutdown.add('watcher', async () => {
    unlisten()
    await watcher.stop()
    await lander.stop()
  })
  return watcher
}

interface Running {
  listener: Listener
  watcher: Watcher
  jobs: Jobs
}

/** HTTP, and what the other instances are told of where. */
async function answer(deps: Deps, { listener, watcher, jobs }: Running, shutdown: Shutdown): Promise<string> {
  const { config } = deps
  const events = await startEventHub({ ...logAs(deps, 'notify'), listener })
  let instances: Instances | undefined
  const others = {
    urlOf: (node: string) => instances?.urlOf(node),
    isAlone: () => instances?.isAlone() ?? true,
  }
  const ending = new AbortController()
  const state = {
    ...deps,
    watcherTrouble: () => watcher.trouble(),
    jobsTrouble: () => jobs.trouble(),
    clocks: () => watcher.figures(),
    eventStreams: () => events.count(),
  }
  const app = createApp({
    ...logAs(deps, 'http'),
    listener,
    events,
    instances: others,
    ending: ending.signal,
    readReadiness: () => readReadiness(state),
    readFigures: () => readFigures(state),
  })
  const server = await startServer(app, config)
  shutdown.add('http', () => server.stop(() => ending.abort()))
  // A stream of events would never end by itself.
  shutdown.add('http', () => events.stop())
  instances = await joinInstances(logAs(deps, 'segment'), config.nodeUrl ?? ownUrl(server.url, config.host))
  shutdown.add('http', () => instances.stop())
  return server.url
}
