import { sql } from 'kysely'
import type { Db } from '../../src/db/connect.ts'
import type { JobName } from '../../src/job/jobs.ts'
import type { Activity, SimulatedTime } from './simulated-time.ts'
import type { Instance } from './simulated-instance.ts'

/*
 * Does the jobs of graphile-worker's tables when simulated time has come to them. They
 * are locked, replaced by their keys, tried again and finished as graphile-worker does.
 */

interface Job {
  id: string
  name: JobName
  payload: never
  queue: string
  attempts: number
  /** Changes when the job is replaced by another with its key. */
  version: string
  waitMs: number
}

export interface Jobs {
  /** Begins whatever is due. True if something was. */
  begin(): Promise<boolean>
  /** Gives back what a killed instance was doing. */
  free(): Promise<void>
}

export function createJobs(db: Db, time: SimulatedTime, activity: Activity, pick: () => Instance | undefined): Jobs {
  const dueAt = new Map<string, number>()
  const running = new Map<string, Instance>()

  const list = async (): Promise<Job[]> => {
    const { rows } = await sql<Job>`
      select job.id::text, task.identifier as name, job.payload, queue.queue_name as queue, job.attempts,
        job.id || '/' || job.revision || '/' || extract(epoch from job.run_at) as version,
        extract(epoch from job.run_at - job.updated_at)::float8 * 1000 as "waitMs"
      from graphile_worker._private_jobs as job
      join graphile_worker._private_tasks as task on task.id = job.task_id
      join graphile_worker._private_job_queues as queue on queue.id = job.job_queue_id
      where job.locked_at is null and job.attempts < job.max_attempts
      order by job.run_at, job.id`.execute(db)
    return rows
  }

  const begin = async (): Promise<boolean> => {
    let began = false
    for (const job of await list()) {
      const due = dueAt.get(job.version) ?? time.now() + Math.max(0, job.waitMs)
      if (!dueAt.has(job.version)) {
        dueAt.set(job.version, due)
        if (due > time.now()) time.after(due - time.now(), () => activity.task(async () => void (await begin())))
      }
      const instance = pick()
      if (due > time.now() || running.has(job.queue) || !instance) continue
      began = true
      running.set(job.queue, instance)
      await sql`
        update graphile_worker._private_jobs set locked_at = now(), locked_by = 'simulated', attempts = attempts + 1
        where id = ${job.id}`.execute(db)
      activity.task(() => run(job, instance))
    }
    return began
  }

  const run = async (job: Job, instance: Instance): Promise<void> => {
    try {
      await instance.jobs[job.name]?.(job.payload)
      if (instance.isAlive) await sql`delete from graphile_worker._private_jobs where id = ${job.id}`.execute(db)
    } catch {
      if (instance.isAlive)
        await sql`
          update graphile_worker._private_jobs set locked_at = null, locked_by = null,
            updated_at = now(), run_at = now() + make_interval(secs => exp(least(10, attempts)))
          where id = ${job.id}`.execute(db)
    }
    if (running.get(job.queue) === instance) running.delete(job.queue)
  }

  return {
    begin,
    async free() {
      for (const [queue, instance] of running) if (!instance.isAlive) running.delete(queue)
      const alive = [...running.keys()]
      await sql`
        update graphile_worker._private_jobs as job set locked_at = null, locked_by = null, run_at = now(), updated_at = now()
        from graphile_worker._private_job_queues as queue
        where queue.id = job.job_queue_id and job.locked_at is not null and queue.queue_name <> all(${alive}::text[])`.execute(
        db,
      )
    },
  }
}
