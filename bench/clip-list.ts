import { sql } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import { listClips, type ClipQuery } from '../src/clip/clip.repo.ts'
import type { Db } from '../src/db/connect.ts'
import { fill, withDatabase } from './filled-database.ts'
import { median, p95, timed } from './measure.ts'
import { GROWTH, growthRow, report, round } from './report.ts'

/*
 * `node bench/clip-list.ts [clips = 1000000]`: a page of a user's clips, with all of them
 * in the table: of users with a hundred each, and of one with ten thousand.
 */

const clips = Number(process.argv[2] ?? 1_000_000)
const PER_USER = 100
const OF_COLLECTOR = 10_000
const QUERIES = 300
const PAGE = 50
const SESSION = uuidv7()

await withDatabase(async (db) => {
  const sizes = [16, 4, 1].map((part) => Math.round(clips / part))
  await sql`
    insert into egress_sessions (id, room, user_id, quality, egress_type, status, requested_by, created_at)
    values (${SESSION}, 'bench', 'alice', '720p', 'participant', 'active', 'webhook', now())`.execute(db)
  await addClips(db, 0, OF_COLLECTOR, 'collector')
  const [first, collector]: [number[], number[]] = [[], []]
  let rows: string[][] = []
  let users = 0
  // The first queries of a process are not like the others.
  await measure(db, () => ({ userId: 'collector' }))
  for (const size of sizes) {
    const wanted = Math.round((size - OF_COLLECTOR) / PER_USER)
    await addClips(db, users, wanted)
    users = wanted
    const anyone = () => String(1 + Math.floor(Math.random() * users))
    const pages = {
      'first page, of 100': await measure(db, () => ({ userId: anyone() })),
      'a page by cursor, of 100': await measure(db, () => ({ userId: anyone(), after: middle() })),
      'first page, of 10,000': await measure(db, () => ({ userId: 'collector' })),
    }
    first.push(median(pages['first page, of 100']))
    collector.push(median(pages['first page, of 10,000']))
    rows = Object.entries(pages).map(([what, times]) => [what, `${round(median(times))} ms`, `${round(p95(times))} ms`])
  }
  report(`A page of ${PAGE} clips with their total, among ${clips} clips`, ['', 'p50', 'p95'], rows)
  report('Growth with the clips', GROWTH, [
    growthRow('first page, of 100, p50', sizes, first, 'ms'),
    growthRow('first page, of 10,000, p50', sizes, collector, 'ms'),
  ])
})

/** A hundred clips each of the users from one number to another; or so many of one user. */
async function addClips(db: Db, from: number, to: number, one?: string): Promise<void> {
  const each = one === undefined ? PER_USER : 1
  const user = one === undefined ? sql`u::text` : sql`${one}::text`
  await fill(db, ['replay_clips', 'files'], async (trx) => {
    await sql`
      with made as materialized (
        select gen_random_uuid() as id, gen_random_uuid() as file_id, ${user} as user_id,
          now() - (u + n * 60) * interval '1 second' as at
        from generate_series(${from + 1}::int, ${to}::int) as u, generate_series(1, ${each}::int) as n
      ), stored as (
        insert into files (id, path, size_bytes, sha256, mime_type, created_at)
        select file_id, file_id || '.mp4', 45000000, repeat('0', 64), 'video/mp4', at from made
      )
      insert into replay_clips (id, user_id, session_id, title, from_at, to_at, requested_from, requested_to, coverage,
        spans, status, size_bytes, pressed_at, reserved_bytes, file_id, created_at)
      select id, user_id, ${SESSION}::uuid, 'a moment', at - interval '1 minute', at, at - interval '1 minute', at,
        '{"coveredSeconds": 60, "gaps": [], "complete": true}', '[]', 'ready', 45000000, at, 0, file_id, at
      from made`.execute(trx)
  })
}

async function measure(db: Db, query: () => { userId: string } & Partial<ClipQuery>): Promise<number[]> {
  const times: number[] = []
  const rest = { communityId: undefined, title: undefined, limit: PAGE, offset: 0, after: undefined }
  for (let n = 0; n < QUERIES; n += 1) {
    const wanted = { ...rest, ...query() }
    times.push(
      await timed(async () => {
        const found = await listClips(db, wanted)
        if (found.clips.length !== PAGE) throw new Error(`a page of ${found.clips.length} clips`)
      }),
    )
  }
  return times
}

/** Half a user's clips are older. */
function middle(): ClipQuery['after'] {
  return { created_at: new Date(Date.now() - PER_USER * 30_000), id: 'ffffffff-ffff-7fff-bfff-ffffffffffff' }
}
