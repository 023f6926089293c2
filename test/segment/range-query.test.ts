import { expect } from 'chai'
import { sql } from 'kysely'
import { listSegments, rangeQuery } from '../../src/segment/segment.repo.ts'
import { startBuffer, type TestBuffer } from './buffer.ts'

describe('the segments of a range', () => {
  let buffer: TestBuffer
  let ids: string[]

  before(async () => {
    buffer = await startBuffer()
    ids = await Promise.all(Array.from({ length: 20 }, () => buffer.addSession()))
    await sql`
      insert into segments (session_id, sequence, start_ms, duration_ms, size_bytes, file_name, landed_at, deleted_at)
      select id, n, n * 2000, 2000, 1000, 'seg_' || n || '.samples', now(), case when n < 100 then now() end
      from unnest(${ids}::uuid[]) as id, generate_series(0, 399) as n`.execute(buffer.db)
    await sql`vacuum analyze segments`.execute(buffer.db)
  })
  after(() => buffer.stop())

  it('are those that overlap it, half-open, without the deleted ones', async () => {
    const of = async (fromMs: number, toMs: number) =>
      (await listSegments(buffer.db, ids[3] ?? '', fromMs, toMs)).map((row) => row.sequence)
    expect(await of(300_000, 304_000)).to.deep.equal([150, 151])
    expect(await of(300_001, 304_001)).to.deep.equal([150, 151, 152])
    expect(await of(299_999.5, 300_000.5)).to.deep.equal([149, 150])
    expect(await of(0, 202_000)).to.deep.equal([100])
    expect(await of(900_000, 910_000)).to.deep.equal([])
  })

  it('are read from one index, and from nothing else', async () => {
    const plan = JSON.stringify(
      await rangeQuery(buffer.db, ids[3] ?? '', 200_000, 800_000).explain('json', sql`analyze`),
    )
    expect(plan).to.include('"Node Type":"Index Only Scan"').and.include('"Index Name":"segments_by_time"')
    expect(plan).to.include('"Heap Fetches":0').and.not.include('"Sort')
    expect(plan.match(/"Node Type"/g)).to.have.length(1)
  })
})
