import { join } from 'node:path'
import { createClipMediaCache } from './capture/clip-media.ts'
import { createOpenIndexCache } from './capture/open-clip.ts'
import { finishClip, finishWaitingClips } from './capture/finish-clip.ts'
import { makePoster } from './capture/clip-poster.ts'
import { createRecent } from './capture/recent.ts'
import { createStillMaker } from './capture/still.ts'
import { storeClip } from './capture/store-clip.ts'
import { sweepStorage } from './check-data/storage-checks.ts'
import { systemNow, type Now } from './clock.ts'
import type { Config } from './config.ts'
import { createDb, createPool, type Db } from './db/connect.ts'
import { startEmbeddedPostgres } from './db/embedded.ts'
import { startListener } from './db/listen.ts'
import { migrate } from './db/migrate.ts'
import { freeBytes } from './disk.ts'
import { createApp } from './http/app.ts'
import { startServer } from './http/server.ts'
import { migrateJobs, startJobs, type JobTable } from './job/runner.ts'
import { startSchedules, type Schedule } from './job/schedules.ts'
import type { Stop } from './job/stop.ts'
import { freeJobsOfDeadWorkers } from './job/worker-lock.ts'
import { createTokenVerifier } from './livekit/access-token.ts'
import { createEgressApi } from './livekit/egress.ts'
import { createRoomApi } from './livekit/room-service.ts'
import { createRoomDataSender } from './livekit/room-data.ts'
import { createWebhookSigner } from './livekit/sign-webhook.ts'
import { createWebhookReceiver } from './livekit/webhook-event.ts'
import { errorFields, type Log } from './log.ts'
import { retainSegments, sweepBuffers, sweepUnknown } from './segment/care.ts'
import { assertFreeSpace, createDiskWatch, readDisk } from './segment/full-disk.ts'
import type { Reached } from './segment/land-segment.ts'
import { joinInstances, ownUrl, type Instances } from './segment/instances.ts'
import { createLander, createLanderHere } from './segment/lander.ts'
import { purgeSession } from './segment/purge-session.ts'
import { createLiveConfigs } from './segment/live-buffer.ts'
import { createTurns } from './segment/turns.ts'
import { startWatcher, type Watcher } from './segment/watcher.ts'
import { startEventHub } from './notify/event-hub.ts'
import { sendWebhook } from './notify/send-webhook.ts'
import { sweepEvents, tellEvents } from './notify/tell-events.ts'
import { tellRoom } from './notify/tell-room.ts'
import { sweepOrphans } from './session/orphans.ts'
import { createReconcile } from './session/reconcile.ts'
import { endSilentSessions } from './session/silence.ts'
import { startEgress } from './session/start-egress.ts'
import { stopEgress, stopStray } from './session/stop-egress.ts'

/** What tests stand in for. */
export interface Overrides {
  now?: Now
  log: Log
  /** Lands in this thread, and is told of each step that a kill may follow. */
  reached?: Reached
  /** Schedules are run by hand: a clock that jumps would make a session look silent. */
  withoutTicks?: boolean
}

export interface Service {
  /** Where it answers, once started. */
  readonly url: string
  readonly db: Db
  readonly schedules: Record<
    | 'reconcile'
    | 'end_silent'
    | 'retain_segments'
    | 'sweep_buffers'
    | 'sweep_unknown'
    | 'sweep_storage'
    | 'watch_disk'
    | 'sweep_orphans'
    | 'tell_events'
    | 'sweep_events'
    | 'free_jobs',
    Schedule['run']
  >
  stop: Stop
}

/**
 * Starts everything, in this order: database, tables, watcher with its back-fill, jobs,
 * schedules, HTTP. What was started is stopped in reverse, also when a later part fails.
 */
export async function startService(config: Config, overrides: Overrides): Promise<Service> {
  const { now = systemNow, log, reached } = overrides
  const stops: Stop[] = []
  const stop = () => stopAll(stops, log)
  try {
    const connectionString = config.databaseUrl ?? (await startDatabase(config, log, stops))
    const pool = createPool(connectionString, log)
    const db = createDb(pool)
    stops.push(() => db.destroy())
    await migrate(db, log)
    await migrateJobs({ pool, connectionString, log })
    await freeJobsOfDeadWorkers(db)
    const listener = await startListener(connectionString, log)
    stops.push(() => listener.stop())

    const deps = createDeps(config, db, now, log)
    let watcher: Watcher | undefined
    const forget = (sessionId: string) => watcher?.forget(sessionId)
    const onAwaited = (sessionId: string) => {
      finishWaitingClips(deps, sessionId).catch((error: unknown) => {
        log.warn('waiting clips not finished yet', { sessionId, ...errorFields(error) })
      })
    }
    const lander = reached ? createLanderHere(reached) : createLander()
    stops.push(() => lander.stop())
    watcher = await startWatcher(
      { ...deps, turns: createTurns(4), land: lander.land, onAwaited, reached },
      { polling: config.watchPolling },
    )
    stops.push(() => watcher.stop())
    // The end of a session is the end of waiting for it, once its last segments are in the index.
    const onChanged = (sessionId: string) => {
      finishWaitingClips(deps, sessionId, () => watcher.look(sessionId)).catch((error: unknown) => {
        log.warn('waiting clips not finished yet', { sessionId, ...errorFields(error) })
      })
    }
    const unlisten = listener.onAny('session_changed', onChanged)
    stops.push(async () => {
      unlisten()
    })

    const retention = { ...deps, forget, reached }
    stops.push(await startJobs({ pool, connectionString, log, node: config.node }, jobTable(deps, retention)))
    const schedules = {
      reconcile: createReconcile(deps),
      end_silent: () => endSilentSessions({ ...deps, lookAgain: () => watcher.scan() }),
      retain_segments: () => retainSegments(retention),
      sweep_buffers: () => sweepBuffers(retention),
      sweep_unknown: () => sweepUnknown(retention),
      sweep_storage: () => sweepStorage(deps),
      watch_disk: createDiskWatch(retention),
      sweep_orphans: () => sweepOrphans(deps),
      tell_events: () => tellEvents(deps),
      sweep_events: () => sweepEvents(deps),
      free_jobs: () => freeJobsOfDeadWorkers(db),
    }
    if (!overrides.withoutTicks) stops.push(startSchedules({ db, now, log }, scheduleTable(schedules, config.node)))

    const events = await startEventHub({ ...deps, listener })
    let instances: Instances | undefined
    const others = {
      urlOf: (node: string) => instances?.urlOf(node),
      isAlone: () => instances?.isAlone() ?? true,
    }
    const app = createApp({ ...deps, listener, events, instances: others })
    const server = await startServer(app, config)
    stops.push(() => server.stop())
    // First of all: a stream of events would never end by itself.
    stops.push(() => events.stop())
    instances = await joinInstances(deps, config.nodeUrl ?? ownUrl(server.url, config.host))
    stops.push(() => instances.stop())
    return { url: server.url, db, schedules, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startDatabase(config: Config, log: Log, stops: Stop[]): Promise<string> {
  const embedded = await startEmbeddedPostgres(join(config.dataPath, 'postgres'), log)
  stops.push(() => embedded.stop())
  return embedded.connectionString
}

function createDeps(config: Config, db: Db, now: Now, log: Log) {
  const { bufferPath, storagePath } = config
  return {
    config,
    db,
    now,
    log,
    node: config.node,
    bufferPath,
    storagePath,
    liveConfigs: createLiveConfigs(),
    mediaCache: createClipMediaCache(),
    openCache: createOpenIndexCache(),
    posterCache: createRecent<Buffer>(16),
    sessionPosters: new Map(),
    makeStill: createStillMaker(config.ffmpegPath),
    stillTurns: createTurns(2),
    assertFreeSpace: () => assertFreeSpace({ bufferPath, storagePath, config }),
    readDisk: () => readDisk({ bufferPath, storagePath, config }),
    freeBufferBytes: () => freeBytes(bufferPath),
    egress: createEgressApi(config.livekit, config.egressPath),
    rooms: createRoomApi(config.livekit),
    receive: createWebhookReceiver(config.livekit, config.egressPath),
    verifyToken: createTokenVerifier(config.livekit),
    signWebhook: createWebhookSigner(config.livekit),
    sendRoomData: createRoomDataSender(config.livekit),
  }
}

type Deps = ReturnType<typeof createDeps>

function jobTable(deps: Deps, retention: Parameters<typeof purgeSession>[0]): JobTable {
  return {
    start_egress: (payload) => startEgress(deps, payload),
    stop_egress: (payload) => stopEgress(deps, payload),
    stop_stray: (payload) => stopStray(deps, payload),
    finish_clip: ({ clipId }) => finishClip(deps, clipId, true),
    store_clip: (payload, attempt) => storeClip(deps, payload, attempt),
    make_poster: (payload) => makePoster(deps, payload),
    send_webhook: (payload) => sendWebhook(deps, payload),
    tell_room: (payload) => tellRoom(deps, payload),
    purge_session: (payload) => purgeSession(retention, payload),
  }
}

/** What concerns a node's own disk is done on each node, the rest on any one. */
function scheduleTable(run: Service['schedules'], node: string): Schedule[] {
  return [
    { name: 'free_jobs', when: '*/10 * * * * *', run: run.free_jobs },
    { name: 'reconcile', when: '* * * * *', run: run.reconcile, atStart: true },
    { name: 'end_silent', when: '*/10 * * * * *', run: run.end_silent },
    { name: `retain_segments@${node}`, when: '* * * * *', run: run.retain_segments, atStart: true },
    { name: `sweep_buffers@${node}`, when: '30 * * * * *', run: run.sweep_buffers, atStart: true },
    { name: `sweep_unknown@${node}`, when: '17 * * * *', run: run.sweep_unknown },
    { name: `sweep_storage@${node}`, when: '27 * * * *', run: run.sweep_storage },
    { name: `watch_disk@${node}`, when: '*/10 * * * * *', run: run.watch_disk },
    { name: 'tell_events', when: '* * * * *', run: run.tell_events, atStart: true },
    { name: 'sweep_events', when: '23 * * * *', run: run.sweep_events },
    { name: 'sweep_orphans', when: '7 * * * *', run: run.sweep_orphans },
  ]
}

async function stopAll(stops: Stop[], log: Log): Promise<void> {
  for (;;) {
    const stop = stops.pop()
    if (!stop) return
    await stop().catch((error: unknown) => log.error('a part did not stop cleanly', errorFields(error)))
  }
}
