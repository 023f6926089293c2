import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { parseConfig } from '../../src/config.ts'
import { createPool, createDb, type Db } from '../../src/db/connect.ts'
import type { Session } from '../../src/db/schema.ts'
import { startSimulator, type EgressSnapshot, type Simulator } from '../../src/simulator/simulator.ts'
import { signWebhook } from '../../src/simulator/webhook-sender.ts'
import { startStillWriter } from '../simulator/still-writer.ts'
import { createTestDatabase } from '../support/database.ts'
import { silentLog } from '../support/log.ts'
import { API_KEY, API_SECRET } from '../support/service.ts'
import { createInstance, type Instance } from './simulated-instance.ts'
import { createJobs } from './simulated-jobs.ts'
import { createActivity, createSimulatedTime, type SimulatedTime } from './simulated-time.ts'

/** A LiveKit and any number of our instances, on simulated time: hours pass in seconds. */
export interface World {
  simulator: Simulator
  db: Db
  time: SimulatedTime
  instances: Instance[]
  addInstance: () => void
  killInstance: (instance: Instance) => Promise<void>
  sessions: (room?: string) => Promise<Session[]>
  /** Egresses that really write, of all rooms or one. */
  running: (room?: string) => EgressSnapshot[]
  stop: () => Promise<void>
}

const SEGMENT_SECONDS = 10

export interface WorldOptions {
  seed: number
  env?: Record<string, string>
  /** A number in [0, 1): which instance does what. */
  random: () => number
}

export async function startWorld({ seed, env, random }: WorldOptions): Promise<World> {
  const database = await createTestDatabase()
  const dataPath = await mkdtemp(join(tmpdir(), 'livekit-replay-world-'))
  const pool = createPool(database.url, silentLog)
  const db = createDb(pool)
  // Nobody pulls the plug here: hours of commits need not wait for the disk.
  await sql`alter database ${sql.raw(new URL(database.url).pathname.slice(1))} set synchronous_commit = off`.execute(db)
  const instances: Instance[] = []
  const isBusy = () =>
    [pool, ...instances.map((instance) => instance.pool)].some(
      ({ totalCount, idleCount, waitingCount }) => totalCount > idleCount || waitingCount > 0,
    )
  const activity = createActivity(isBusy)
  const living = () => instances.filter(({ isAlive }) => isAlive)
  const pick = () => living()[Math.floor(random() * living().length)]

  const time = createSimulatedTime(Date.now(), async () => {
    do await activity.rest()
    while ((await land()) || (await beginJobs()))
  })
  const simulator = await startSimulator({
    apiKey: API_KEY,
    apiSecret: API_SECRET,
    startWriter: startStillWriter,
    clock: time,
    seed,
    webhookUrls: ['in this process'],
    postWebhook: (_, body) =>
      activity.work(async () => {
        const instance = pick()
        if (!instance) return undefined
        // The token is checked by the clock of the machine, which simulated time is ahead of.
        const token = signWebhook({ apiKey: API_KEY, apiSecret: API_SECRET }, body, Date.now())
        return instance.receive(body, token).then(
          () => 200,
          () => (instance.isAlive ? 500 : undefined),
        )
      }),
  })
  const config = {
    ...parseConfig({
      LIVEKIT_URL: simulator.url,
      LIVEKIT_API_KEY: API_KEY,
      LIVEKIT_API_SECRET: API_SECRET,
      REPLAY_DATA_PATH: dataPath,
      REPLAY_SEGMENT_DURATION_SECONDS: String(SEGMENT_SECONDS),
      ...env,
    }),
  }
  const jobs = createJobs(db, time, activity, pick)
  const written = new Map<string, number>()
  let wasUsed = true

  /** Only who has asked the database something can have left a job there. */
  async function beginJobs(): Promise<boolean> {
    if (!wasUsed) return false
    wasUsed = false
    return activity.work(() => jobs.begin())
  }

  /** Stands in for the watcher: what an egress has written is in the index at once. */
  async function land(): Promise<boolean> {
    const rows = simulator.egresses().flatMap(({ egressId, directory, segmentCount }) => {
      const from = written.get(egressId) ?? 0
      written.set(egressId, segmentCount)
      const sessionId = directory.split('/').at(-1) ?? ''
      return Array.from({ length: segmentCount - from }, (_, index) => ({ sessionId, sequence: from + index }))
    })
    if (rows.length > 0) await activity.work(() => record(db, rows, new Date(time.now())))
    return rows.length > 0
  }

  const addInstance = () => {
    wasUsed = true
    const parts = { config, connectionString: database.url, now: () => new Date(time.now()), log: silentLog, activity }
    const instance = createInstance({ ...parts, lookAgain: () => Promise.resolve() })
    instance.pool.on('acquire', () => {
      wasUsed = true
    })
    instances.push(instance)
  }
  const tick = (name: string, everyMs: number): void => {
    time.after(everyMs, () => {
      const run = pick()?.schedules.find((schedule) => schedule.name === name)?.run
      // What LiveKit or a kill breaks is mended by the next one.
      if (run) activity.task(async () => void (await run().catch(() => undefined)))
      tick(name, everyMs)
    })
  }
  addInstance()
  for (const { name, everyMs } of instances[0]?.schedules ?? []) tick(name, everyMs)

  return {
    simulator,
    db,
    time,
    instances,
    addInstance,
    async killInstance(instance) {
      instance.kill()
      instances.splice(instances.indexOf(instance), 1)
      await instance.stop().catch(() => undefined)
      await jobs.free()
    },
    sessions: (room) =>
      db
        .selectFrom('egress_sessions')
        .selectAll()
        .$if(room !== undefined, (query) => query.where('room', '=', room ?? ''))
        .orderBy('created_at')
        .orderBy('id')
        .execute(),
    running: (room) =>
      simulator
        .egresses()
        .filter(({ roomName, status, dead }) => RUNS.has(status) && !dead && (!room || roomName === room)),
    async stop() {
      await simulator.stop()
      await activity.rest()
      for (const instance of instances) await instance.stop()
      await db.destroy()
      await database.drop()
      await rm(dataPath, { recursive: true, force: true })
    },
  }
}

const RUNS = new Set(['EGRESS_STARTING', 'EGRESS_ACTIVE', 'EGRESS_ENDING'])

/** A session that was discarded has no row to hang segments on. */
async function record(db: Db, landed: { sessionId: string; sequence: number }[], now: Date): Promise<void> {
  await sql`
    insert into segments (session_id, sequence, start_ms, duration_ms, size_bytes, file_name, landed_at)
    select session.id, landed.sequence, landed.sequence * ${SEGMENT_SECONDS * 1000}, ${SEGMENT_SECONDS * 1000}, 1000,
      'seg_' || landed.sequence || '.ts', ${now}
    from jsonb_to_recordset(${JSON.stringify(landed)}::jsonb) as landed("sessionId" uuid, sequence integer)
    join egress_sessions as session on session.id = landed."sessionId"
    on conflict do nothing`.execute(db)
}
