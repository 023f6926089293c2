import { sql } from 'kysely'
import type { Db } from '../db/connect.ts'
import { SESSION_STATUSES } from '../db/schema.ts'
import { readVolume } from '../disk.ts'
import { listJobCounts } from '../job/queue.repo.ts'
import { within } from '../limit.ts'
import type { DatabaseFigures, Figures } from '../metrics-figures.ts'
import { listUnendedSessions } from '../session/session.repo.ts'
import { readReadiness, type ReadinessDeps } from './readiness.ts'

export interface FiguresDeps extends ReadinessDeps {
  bufferPath: string
  storagePath: string
  /** Of every session whose directory is here. */
  clocks: () => Figures['clocks']
  eventStreams: () => number
}

const LIMIT_MS = 3000

/** What is true now, for `/metrics`. What cannot be known in time is left out. */
export async function readFigures(deps: FiguresDeps): Promise<Figures> {
  const [database, live, buffer, storage, { parts, disk }] = await Promise.all([
    within(LIMIT_MS, readDatabase(deps.db, deps.node)).catch(() => undefined),
    within(LIMIT_MS, listLive(deps.db)).catch(() => undefined),
    within(LIMIT_MS, readVolume(deps.bufferPath)).catch(() => undefined),
    within(LIMIT_MS, readVolume(deps.storagePath)).catch(() => undefined),
    readReadiness(deps),
  ])
  return {
    database,
    volumes: [
      ...(buffer ? [{ volume: 'buffer' as const, ...buffer }] : []),
      ...(storage ? [{ volume: 'storage' as const, ...storage }] : []),
    ],
    isDiskFull: disk?.isFull,
    clocks: deps.clocks().filter(({ sessionId }) => live?.has(sessionId) === true),
    eventStreams: deps.eventStreams(),
    parts: Object.fromEntries(Object.entries(parts).map(([part, state]) => [part, state === 'ok'])),
  }
}

async function listLive(db: Db): Promise<Set<string>> {
  return new Set((await listUnendedSessions(db)).map(({ id }) => id))
}

async function readDatabase(db: Db, node: string): Promise<DatabaseFigures> {
  const counted = await db
    .selectFrom('egress_sessions')
    .select((eb) => ['status' as const, eb.fn.countAll<number>().as('count')])
    .where('purged_at', 'is', null)
    .groupBy('status')
    .execute()
  const none = SESSION_STATUSES.map((status) => [status, 0] as const)
  return {
    sessions: Object.fromEntries([...none, ...counted.map(({ status, count }) => [status, count] as const)]),
    jobs: await listJobCounts(db),
    ...(await readBytes(db, node)),
  }
}

async function readBytes(db: Db, node: string): Promise<{ clipBytes: number; bufferBytes: number }> {
  const { rows } = await sql<{ clipBytes: number; bufferBytes: number }>`
    select
      (select coalesce(sum(used_bytes), 0)::int8 from user_quotas) as "clipBytes",
      (select coalesce(sum(s.size_bytes), 0)::int8 from egress_sessions e join segments s on s.session_id = e.id
        where e.purged_at is null and e.node = ${node} and s.deleted_at is null) as "bufferBytes"`.execute(db)
  return rows[0] ?? { clipBytes: 0, bufferBytes: 0 }
}
