import { sql } from 'kysely'
import type { Db } from '../src/db/connect.ts'
import { listSegments } from '../src/segment/segment.repo.ts'
import { fill, withDatabase } from './filled-database.ts'
import { median, p95, timed } from './measure.ts'
import { GROWTH, growthRow, JUDGED, judged, report, round } from './report.ts'

/*
 * `node bench/range-query.ts [million rows = 10]`: the segments of ten minutes, of any
 * session, with all of them in the table. Needs 4 GB of disk, and some minutes.
 */

const millions = Number(process.argv[2] ?? 10)
const PER_SESSION = 500
const QUERIES = 1000
const RANGE_MS = 600_000

await withDatabase(async (db) => {
  const sizes = [16, 4, 1].map((part) => (millions * 1e6) / part)
  const medians: number[] = []
  let times: number[] = []
  let sessions = 0
  const filledIn = await timed(async () => {
    for (const size of sizes) {
      const wanted = Math.round(size / PER_SESSION)
      await addSessions(db, sessions, wanted)
      sessions = wanted
      // The first queries of a process are not like the others.
      if (medians.length === 0) await measure(db)
      times = await measure(db)
      medians.push(median(times))
    }
  })
  const { rows } = await sql<{ size: string }>`
    select pg_size_pretty(pg_total_relation_size('segments')) as size`.execute(db)
  report(`Ten minutes of a session, among ${millions} million rows`, JUDGED, [
    judged('query, p95', p95(times), 5, 'ms'),
    ['query, p50', `${round(median(times))} ms`, '', ''],
    ['table with its indexes', rows[0]?.size ?? '', '', ''],
    ['all of this took', `${round(filledIn / 1000)} s`, '', ''],
  ])
  report('Growth with the rows', GROWTH, [growthRow('query, p50', sizes, medians, 'ms')])
})

async function addSessions(db: Db, from: number, to: number): Promise<void> {
  await fill(db, ['segments'], async (one) => {
    await sql`
      insert into egress_sessions (id, room, user_id, quality, egress_type, status, requested_by, created_at)
      select gen_random_uuid(), 'bench', n::text, '720p', 'participant', 'active', 'webhook', now()
      from generate_series(${from + 1}::int, ${to}::int) as n`.execute(one)
    await sql`
      insert into segments (session_id, sequence, start_ms, duration_ms, size_bytes, file_name, landed_at)
      select id, n, n * 2000, 2000, 375000, 'seg_' || lpad(n::text, 5, '0') || '.samples', now()
      from (select id from egress_sessions where user_id::int > ${from} order by id) as sessions,
        generate_series(0, ${PER_SESSION - 1}::int) as n`.execute(one)
  })
}

async function measure(db: Db): Promise<number[]> {
  const ids = (await db.selectFrom('egress_sessions').select('id').execute()).map((row) => row.id)
  const times: number[] = []
  for (let n = 0; n < QUERIES; n += 1) {
    const id = ids[Math.floor(Math.random() * ids.length)] ?? ''
    const from = Math.random() * (PER_SESSION * 2000 - RANGE_MS)
    times.push(await timed(() => listSegments(db, id, from, from + RANGE_MS)))
  }
  return times
}
