import type pg from 'pg'
import type { Config } from '../../src/config.ts'
import { createDb, createPool, type Db } from '../../src/db/connect.ts'
import type { JobName, JobPayloads } from '../../src/job/jobs.ts'
import { createEgressApi } from '../../src/livekit/egress.ts'
import { createRoomApi } from '../../src/livekit/room-service.ts'
import { createWebhookReceiver } from '../../src/livekit/webhook-event.ts'
import type { Log } from '../../src/log.ts'
import { sweepOrphans } from '../../src/session/orphans.ts'
import { createReconcile } from '../../src/session/reconcile.ts'
import { endSilentSessions } from '../../src/session/silence.ts'
import { startEgress } from '../../src/session/start-egress.ts'
import { stopEgress, stopStray } from '../../src/session/stop-egress.ts'
import { receiveWebhook } from '../../src/webhook/receive-webhook.ts'
import { createEventRecorder } from '../../src/webhook/record-event.ts'
import type { Activity } from './simulated-time.ts'

/** The session side of a service, as one process has it, but moved by hand. */
export interface Instance {
  db: Db
  pool: pg.Pool
  isAlive: boolean
  receive: (body: string, token: string) => Promise<void>
  /** Those that concern sessions. */
  jobs: Partial<Record<JobName, (payload: never) => Promise<unknown>>>
  schedules: { name: string; everyMs: number; run: () => Promise<unknown> }[]
  /** As by SIGKILL: whatever it was doing is never finished. */
  kill: () => void
  stop: () => Promise<void>
}

export interface InstanceParts {
  config: Config
  connectionString: string
  now: () => Date
  log: Log
  activity: Activity
  /** Has everything that landed in the index. */
  lookAgain: () => Promise<unknown>
}

export function createInstance({ config, connectionString, now, log, activity, lookAgain }: InstanceParts): Instance {
  const pool = createPool(connectionString, log)
  const db = createDb(pool)
  const instance = { isAlive: true }
  const alive = <T extends object>(api: T): T =>
    new Proxy(api, {
      get:
        (target, name) =>
        (...args: unknown[]) =>
          activity.call(async () => {
            const answer: unknown = await (target[name as keyof T] as (...args: unknown[]) => Promise<unknown>)(...args)
            if (!instance.isAlive) throw new Error('this process was killed')
            return answer
          }),
    })
  const deps = {
    config,
    db,
    now,
    log,
    node: 'node',
    lookAgain,
    freeBufferBytes: () => Promise.resolve(Number.MAX_SAFE_INTEGER),
    egress: alive(createEgressApi(config.livekit, config.egressPath)),
    rooms: alive(createRoomApi(config.livekit)),
    receive: createWebhookReceiver(config.livekit, config.egressPath),
    recordEvent: createEventRecorder(db),
  }
  return Object.assign(instance, {
    db,
    pool,
    receive: async (body: string, token: string) => void (await receiveWebhook(deps, body, token)),
    jobs: {
      start_egress: (payload: JobPayloads['start_egress']) => startEgress(deps, payload),
      stop_egress: (payload: JobPayloads['stop_egress']) => stopEgress(deps, payload),
      stop_stray: (payload: JobPayloads['stop_stray']) => stopStray(deps, payload),
    },
    schedules: [
      { name: 'reconcile', everyMs: 60_000, run: createReconcile(deps) },
      { name: 'end_silent', everyMs: 10_000, run: () => endSilentSessions(deps) },
      { name: 'sweep_orphans', everyMs: 3_600_000, run: () => sweepOrphans(deps) },
    ],
    kill() {
      instance.isAlive = false
      for (const { connection } of (
        pool as unknown as { _clients: { connection: { stream: { destroy: () => void } } }[] }
      )._clients)
        connection.stream.destroy()
    },
    stop: () => db.destroy(),
  })
}
