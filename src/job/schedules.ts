import cron from 'node-cron'
import type { Now } from '../clock.ts'
import type { Db } from '../db/connect.ts'
import { isDatabaseAway } from '../db/connect.ts'
import { errorFields, type Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Stop } from './stop.ts'

/** A plain function run at set times. It returns counts; only runs that counted something are worth a line. */
export interface Schedule {
  name: string
  /** Five or six cron fields, UTC. */
  when: string
  run: () => Promise<Record<string, number>>
  /** Run once more, when it begins: what was missed while nobody ran is made up for at once. */
  atStart?: boolean
}

export interface ScheduleDeps {
  db: Db
  now: Now
  log: Log
  metrics?: Pick<Metrics, 'scheduleRan'> | undefined
}

/** Ticks on every instance; each tick is run by one of them, and never beside itself. */
export function startSchedules(deps: ScheduleDeps, schedules: Schedule[]): Stop {
  const running = new Set<Promise<void>>()
  const start = async (schedule: Schedule, date: Date): Promise<void> => {
    const run = tick(deps, schedule, date)
    running.add(run)
    await run.finally(() => running.delete(run))
  }
  const tasks = schedules.map((schedule) => {
    if (schedule.atStart) void start(schedule, new Date())
    const logger = cronLogger(deps.log, schedule.name)
    const options = { name: schedule.name, timezone: 'UTC', noOverlap: true, suppressMissedWarning: true, logger }
    return cron.schedule(schedule.when, ({ date }) => start(schedule, wholeSecond(date)), options)
  })
  return async () => {
    for (const task of tasks) await task.destroy()
    await Promise.all(running)
  }
}

/** What node-cron would print: of note is that a run takes longer than its schedule gives it. */
function cronLogger(log: Log, schedule: string) {
  const say = (level: 'debug' | 'warn' | 'error') => (said: string | Error) =>
    log[level]('schedule complained', { schedule, said: String(said) })
  return { debug: say('debug'), info: say('debug'), warn: say('warn'), error: say('error') }
}

/** Instances tick some ms apart, and mean the same. */
const wholeSecond = (date: Date) => new Date(Math.floor(date.getTime() / 1000) * 1000)

async function tick({ db, log, metrics }: ScheduleDeps, schedule: Schedule, date: Date): Promise<void> {
  const startedAt = performance.now()
  const tell = (counts?: Record<string, number>) =>
    metrics?.scheduleRan(schedule.name.replace(/@.*/, ''), counts, performance.now() - startedAt)
  try {
    if (!(await claimTick(db, schedule.name, date))) return
    const counts = await schedule.run()
    tell(counts)
    const counted = Object.values(counts).some((count) => count > 0)
    log[counted ? 'info' : 'debug']('schedule ran', { schedule: schedule.name, ...counts })
  } catch (error) {
    tell()
    if (isDatabaseAway(error)) log.warn('schedule skipped, the database is away', { schedule: schedule.name })
    else log.error('schedule failed', { schedule: schedule.name, ...errorFields(error) })
  }
}

/** True for the first instance that claims this tick. */
async function claimTick(db: Db, name: string, tickAt: Date): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('schedule_runs')
    .values({ name, tick: tickAt })
    .onConflict((oc) => oc.column('name').doUpdateSet({ tick: tickAt }).where('schedule_runs.tick', '<', tickAt))
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}
