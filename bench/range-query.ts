import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { createDb, createPool } from '../src/db/connect.ts'
import { startEmbeddedPostgres } from '../src/db/embedded.ts'
import { migrate } from '../src/db/migrate.ts'
import { createLog } from '../src/log.ts'
import { listSegments } from '../src/segment/segment.repo.ts'

/*
 * `node bench/range-query.ts [million rows = 10]`: the segments of ten minutes, of any of
 * 20,000 sessions, with all of them in the table. Needs 4 GB of disk, and some minutes.
 */

const millions = Number(process.argv[2] ?? 10)
const SESSIONS = 20_000
const PER_SESSION = (millions * 1e6) / SESSIONS
const QUERIES = 3000
const RANGE_MS = 600_000

const log = createLog({ level: 'error', readable: true })
const directory = await mkdtemp(join(tmpdir(), 'livekit-replay-bench-'))
await chmod(directory, 0o755)
const postgres = await startEmbeddedPostgres(directory, log)
const db = createDb(createPool(postgres.connectionString, log))
try {
  await migrate(db, log)
  const filledIn = await timed(fill)
  const ids = (await db.selectFrom('egress_sessions').select('id').execute()).map((row) => row.id)
  const times: number[] = []
  let rows = 0
  for (let n = 0; n < QUERIES; n += 1) {
    const id = ids[Math.floor(Math.random() * ids.length)] ?? ''
    const from = Math.random() * Math.max(0, PER_SESSION * 2000 - RANGE_MS)
    times.push(await timed(async () => (rows += (await listSegments(db, id, from, from + RANGE_MS)).length)))
  }
  const size = await sql<{ size: string }>`
    select pg_size_pretty(pg_total_relation_size('segments')) as size`.execute(db)
  print(times, filledIn, rows / QUERIES, size.rows[0]?.size ?? '')
} finally {
  await db.destroy()
  await postgres.stop()
  await rm(directory, { recursive: true, force: true })
}

/** Rows of our own making need no foreign keys checked. */
async function fill(): Promise<void> {
  await db.connection().execute(async (one) => {
    await sql`set session_replication_role = replica`.execute(one)
    await sql`
      insert into egress_sessions (id, room, user_id, quality, egress_type, status, requested_by, created_at)
      select gen_random_uuid(), 'bench', n::text, '720p', 'participant', 'active', 'webhook', now()
      from generate_series(1, ${SESSIONS}) as n`.execute(one)
    await sql`
      insert into segments (session_id, sequence, start_ms, duration_ms, size_bytes, file_name, landed_at)
      select id, n, n * 2000, 2000, 375000, 'seg_' || lpad(n::text, 5, '0') || '.samples', now()
      from (select id from egress_sessions order by id) as sessions, generate_series(0, ${PER_SESSION - 1}) as n
      `.execute(one)
    await sql`set session_replication_role = origin`.execute(one)
    await sql`vacuum analyze segments`.execute(one)
  })
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

function print(times: number[], filledIn: number, rows: number, size: string): void {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.ceil(sorted.length * share) - 1] ?? NaN).toFixed(2)
  const lines: [string, string, string][] = [
    [
      'table',
      `${millions} million rows of ${SESSIONS} sessions, ${size}, made in ${(filledIn / 1000).toFixed(0)} s`,
      '',
    ],
    ['ten minutes of a session', `${rows.toFixed(0)} rows, ${QUERIES} times`, ''],
    ['query, p50 / p95 / p99', `${at(0.5)} / ${at(0.95)} / ${at(0.99)} ms`, 'p95 < 5 ms'],
  ]
  for (const [what, measured, target] of lines)
    process.stdout.write(`${what.padEnd(30)} ${measured.padEnd(70)} ${target}\n`)
}
