import { expect } from 'chai'
import { sql } from 'kysely'
import { createDb, createPool } from '../../src/db/connect.ts'
import { enqueue } from '../../src/job/jobs.ts'
import { startJobs, type JobTable } from '../../src/job/runner.ts'
import { freeJobsOfDeadWorkers } from '../../src/job/worker-lock.ts'
import { createTestDatabase } from '../support/database.ts'
import { silentLog } from '../support/log.ts'
import { until } from '../support/until.ts'

/** The pool that could not write its end down has five seconds to stop, and its jobs are given back after five more. */
const LIMIT_MS = 30_000

describe('a job that ends in the moment in which the database goes away', () => {
  it('is done when it is back, whether it succeeds or fails, and the process lives on', async () => {
    await Promise.all([endsAway(() => undefined), endsAway(() => new Error('it failed'))])
  }).timeout(LIMIT_MS + 10_000)
})

async function endsAway(outcome: () => Error | undefined): Promise<void> {
  const database = await createTestDatabase()
  const pool = createPool(database.url, silentLog)
  const db = createDb(pool)
  let runs = 0
  const stop_stray: JobTable['stop_stray'] = async () => {
    runs += 1
    if (runs > 1) return
    await database.cutOff()
    const error = outcome()
    if (error) throw error
  }
  // No other job is asked for here.
  const table = { stop_stray } as unknown as JobTable
  const jobs = await startJobs({ pool, connectionString: database.url, log: silentLog, node: 'here' }, table)
  try {
    await enqueue(db, 'stop_stray', 'a-session', { egressId: 'EG_one' })
    await until('the outage', async () => runs === 1 && (await pool.query('select 1').then(isDone, isAway)))
    await database.allow()
    await until(
      'its end',
      async () => {
        await freeJobsOfDeadWorkers(db).catch(() => undefined)
        const { rows } = await sql`select from graphile_worker.jobs`.execute(db)
        return rows.length === 0
      },
      LIMIT_MS,
    )
    // Once, if the database was back before the end of the first run was given up.
    expect(runs).to.be.within(outcome() ? 2 : 1, 2)
  } finally {
    await jobs.stop()
    await db.destroy()
    await database.drop()
  }
}

const isDone = () => false
const isAway = () => true
