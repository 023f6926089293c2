import { sql } from 'kysely'
import type { Db } from '../db/connect.ts'

/** What a job is called, whichever node's it is. */
const TASK = sql.raw(`split_part(task_identifier, '@', 1)`)

export interface JobCount {
  task: string
  state: 'ready' | 'delayed' | 'running' | 'failed'
  count: number
}

/** How many jobs there are, by task. A failed one has had its last try. */
export async function listJobCounts(db: Db): Promise<JobCount[]> {
  const { rows } = await sql<JobCount>`
    select ${TASK} as task,
      case when locked_at is not null then 'running'
        when attempts >= max_attempts then 'failed'
        when run_at > now() then 'delayed'
        else 'ready' end as state,
      count(*) as count
    from graphile_worker.jobs group by 1, 2`.execute(db)
  return rows
}

/** The job that has been due for the longest, of those that this node may do. */
export async function findOldestWaitingJob(
  db: Db,
  node: string,
): Promise<{ task: string; seconds: number } | undefined> {
  const { rows } = await sql<{ task: string; seconds: number }>`
    select ${TASK} as task, extract(epoch from now() - run_at)::float8 as seconds
    from graphile_worker.jobs
    where locked_at is null and attempts < max_attempts and run_at <= now()
      and split_part(task_identifier, '@', 2) in ('', ${node})
    order by run_at limit 1`.execute(db)
  return rows[0]
}
