import { sql } from 'kysely'
import pg from 'pg'
import type { Db } from '../db/connect.ts'
import type { Log } from '../log.ts'
import type { Stop } from './stop.ts'

/*
 * A worker that was killed leaves its jobs locked, and graphile-worker frees them only
 * after four hours. So every pool of workers holds an advisory lock on a connection of
 * its own, which ends with the process, and whoever finds a job locked by a pool whose
 * advisory lock is free gives it back.
 */

const RELOCK_MS = 500
/** A pool takes its lock within some ms of its first job. */
const YOUNGEST_SECONDS = 5

/** Holds the lock of this pool of workers until stopped, through restarts of the database. */
export async function holdWorkerLock(connectionString: string, poolId: string, log: Log): Promise<Stop> {
  let client: pg.Client | undefined
  let retry: NodeJS.Timeout | undefined
  let stopped = false
  const lock = async (): Promise<void> => {
    const next = new pg.Client({ connectionString, keepAlive: true, application_name: poolId })
    next.on('error', () => undefined)
    next.on('end', () => {
      if (!stopped) relockLater()
    })
    await next.connect()
    await next.query('select pg_advisory_lock(hashtextextended($1, 0))', [poolId])
    client = next
  }
  const relockLater = (): void => {
    clearTimeout(retry)
    retry = setTimeout(() => {
      lock().catch(() => {
        log.debug('worker lock not taken again yet', { poolId })
        if (!stopped) relockLater()
      })
    }, RELOCK_MS)
  }
  await lock()
  return async () => {
    stopped = true
    clearTimeout(retry)
    await client?.end()
  }
}

/** Gives back the jobs of workers that are gone. Returns how many such pools it found. */
export async function freeJobsOfDeadWorkers(db: Db): Promise<{ deadPools: number }> {
  return db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ locked_by: string }>`
      select locked_by from (
        select distinct locked_by from graphile_worker.jobs
        where locked_by is not null and locked_at < now() - make_interval(secs => ${YOUNGEST_SECONDS})
      ) as pools where pg_try_advisory_xact_lock(hashtextextended(locked_by, 0))`.execute(trx)
    const dead = rows.map((row) => row.locked_by)
    if (dead.length > 0) await sql`select graphile_worker.force_unlock_workers(${dead}::text[])`.execute(trx)
    return { deadPools: dead.length }
  })
}
