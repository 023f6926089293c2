import { sql } from 'kysely'
import type { Db } from '../../src/db/connect.ts'
import { until } from './until.ts'

/** Once a job with this key has failed and is to be tried again, makes that due now; `isLast`: and it is the last try. */
export async function hurryJob(db: Db, key: string, isLast = false): Promise<void> {
  await until('the next try of a job', async () => {
    const { numAffectedRows } = await sql`
      update graphile_worker._private_jobs set run_at = now(),
        attempts = case when ${isLast} then max_attempts - 1 else attempts end
      where key = ${key} and locked_at is null and attempts between 1 and max_attempts - 1`.execute(db)
    return numAffectedRows === 1n
  })
}
