import { expect } from 'chai'
import { sql } from 'kysely'
import { createDb, createPool, type Db } from '../../src/db/connect.ts'
import { enqueue } from '../../src/job/jobs.ts'
import { freeJobsOfDeadWorkers, holdWorkerLock } from '../../src/job/worker-lock.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { silentLog } from '../support/log.ts'

describe('the jobs of a worker that was killed', () => {
  let database: TestDatabase
  let db: Db

  before(async () => {
    database = await createTestDatabase()
    db = createDb(createPool(database.url, silentLog))
    await enqueue(db, 'store_clip', 'a-session', { clipId: 'a-clip' })
    await sql`
      update graphile_worker._private_jobs
      set locked_by = 'pool-one', locked_at = now() - interval '10 seconds'`.execute(db)
  })
  after(async () => {
    await db.destroy()
    await database.drop()
  })

  const lockedBy = async () => {
    const { rows } = await sql<{ locked_by: string | null }>`select locked_by from graphile_worker.jobs`.execute(db)
    return rows.map((row) => row.locked_by)
  }

  it('stay with it while its connection lives', async () => {
    const unlock = await holdWorkerLock(database.url, 'pool-one', silentLog)
    expect(await freeJobsOfDeadWorkers(db)).to.deep.equal({ deadPools: 0 })
    expect(await lockedBy()).to.deep.equal(['pool-one'])
    await unlock()
  })

  it('are given back as soon as its connection is gone', async () => {
    expect(await freeJobsOfDeadWorkers(db)).to.deep.equal({ deadPools: 1 })
    expect(await lockedBy()).to.deep.equal([null])
    expect(await freeJobsOfDeadWorkers(db)).to.deep.equal({ deadPools: 0 })
  })
})
