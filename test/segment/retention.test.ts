import { chown, mkdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { sql } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import { retainSegments, sweepBuffers, sweepUnknown } from '../../src/segment/care.ts'
import { deleteFiles } from '../../src/segment/delete-files.ts'
import { purgeSession } from '../../src/segment/purge-session.ts'
import { deleteOldest } from '../../src/segment/retention.ts'
import { setSegmentsDeleted } from '../../src/segment/segment.repo.ts'
import { until } from '../support/until.ts'
import { RECORDED_AT, startBuffer, type TestBuffer } from './buffer.ts'

const MINUTE_MS = 60_000
const LONG_AGO = new Date('2026-01-01T00:00:00Z')
const ENDED = { status: 'ended', ended_reason: 'unshared', ended_at: RECORDED_AT } as const
const CLOCK = { clock_origin: RECORDED_AT, clock_source: 'measured' } as const

describe('retention', () => {
  let buffer: TestBuffer

  beforeEach(async () => {
    buffer = await startBuffer()
    buffer.clock.now = RECORDED_AT
  })
  afterEach(() => buffer.stop())

  const at = (minutes: number) => {
    buffer.clock.now = new Date(RECORDED_AT.getTime() + minutes * MINUTE_MS)
  }
  const live = async (id: string) => (await buffer.rows(id)).filter((row) => !row.deleted_at).map((row) => row.sequence)
  const age = (path: string) => utimes(path, LONG_AGO, LONG_AGO)

  it('deletes what is older than is kept, rows and files alike, and nothing younger', async () => {
    const id = await buffer.addSession(CLOCK)
    await buffer.fill(id, 400)
    at(12.5)
    expect(await retainSegments(buffer.deps)).to.deep.equal({ segments: 15, sessions: 0 })
    expect((await live(id))[0]).to.equal(15)
    expect(await buffer.files(id)).to.have.length(385)
    expect(await retainSegments(buffer.deps)).to.deep.equal({ segments: 0, sessions: 0 })
  })

  it('leaves an ended buffer whole for its grace, then deletes it with its directory', async () => {
    const expires_at = new Date(RECORDED_AT.getTime() + 10 * MINUTE_MS)
    const id = await buffer.addSession({ ...CLOCK, ...ENDED, expires_at })
    await buffer.fill(id, 3)
    at(9)
    expect(await retainSegments(buffer.deps)).to.deep.equal({ segments: 0, sessions: 0 })
    expect(await purgeSession(buffer.deps, { sessionId: id })).to.equal('not_yet')
    at(11)
    expect(await retainSegments(buffer.deps)).to.deep.equal({ segments: 0, sessions: 1 })
    expect(await live(id)).to.deep.equal([])
    expect(await stat(buffer.directory(id)).catch(() => 'gone')).to.equal('gone')
    expect(await purgeSession(buffer.deps, { sessionId: id })).to.equal('not_needed')
  })

  it('keeps a pinned segment from age, full disk and purge, until its clip lets go', async () => {
    const id = await buffer.addSession({ ...CLOCK, ...ENDED, expires_at: RECORDED_AT })
    await buffer.fill(id, 6)
    const clipId = await buffer.pin(id, [[2, 3]])
    await deleteOldest(buffer.deps, id, 6000, 100)
    expect(await live(id)).to.deep.equal([2, 3, 4, 5])
    expect(await purgeSession(buffer.deps, { sessionId: id })).to.equal('pinned')
    expect(await live(id)).to.deep.equal([2, 3])
    expect(await buffer.files(id)).to.deep.equal(['seg_00002.samples', 'seg_00003.samples'])
    await buffer.db.deleteFrom('clip_segments').where('clip_id', '=', clipId).execute()
    expect(await purgeSession(buffer.deps, { sessionId: id })).to.equal('purged')
  })

  it('keeps a segment that is pinned between its look and its lock', async () => {
    const id = await buffer.addSession({ ...CLOCK, ...ENDED, expires_at: RECORDED_AT })
    // So many that it takes a while to come to the last.
    await sql`
      insert into segments (session_id, sequence, start_ms, duration_ms, size_bytes, file_name, landed_at)
      select ${id}::uuid, n, n * 20, 20, 1, 'seg_' || n || '.samples', now() from generate_series(0, 14999) as n
      `.execute(buffer.db)
    const clip_id = await buffer.pin(id, [])
    const pinned = { clip_id, session_id: id, first_sequence: 14_990, last_sequence: 14_999 }
    let deleting: ReturnType<typeof setSegmentsDeleted> | undefined
    await buffer.db.transaction().execute(async (trx) => {
      await sql`select from segments where session_id = ${id} and sequence >= 14990 for share`.execute(trx)
      await trx.insertInto('clip_segments').values(pinned).execute()
      deleting = setSegmentsDeleted(buffer.db, id, 300_000, 15_000, RECORDED_AT)
      await until('the look', async () => {
        const { rows } = await sql`
          select from pg_stat_activity
          where datname = current_database() and state = 'active' and query like '%for update skip locked'`.execute(
          buffer.db,
        )
        return rows.length > 0
      })
    })
    expect(await deleting).to.have.length(14_990)
    expect(await live(id)).to.deep.equal(Array.from({ length: 10 }, (_, n) => 14_990 + n))
  })

  it('deletes a directory again that an egress made anew, once nobody writes there', async () => {
    const id = await buffer.addSession({ ...ENDED, expires_at: RECORDED_AT, purged_at: RECORDED_AT })
    await buffer.land(id, 'participant-stopped', { to: 1 })
    expect(await sweepBuffers(buffer.deps)).to.deep.equal({ leftovers: 0, directories: 0 })
    for (const name of ['', 'live.m3u8', 'index.m3u8']) await age(join(buffer.directory(id), name))
    expect(await sweepBuffers(buffer.deps)).to.deep.equal({ leftovers: 0, directories: 1 })
    expect(await stat(buffer.directory(id)).catch(() => 'gone')).to.equal('gone')
  })

  it('sweeps what a kill left, and nothing that somebody needs', async () => {
    const id = await buffer.addSession(CLOCK)
    await buffer.fill(id, 3)
    await buffer.db.updateTable('segments').set({ deleted_at: RECORDED_AT }).where('sequence', '=', 0).execute()
    const left = ['seg_00001.ts', 'seg_00007.samples', 'seg_00008.samples.0a1b2c3d.tmp']
    const young = ['seg_00009.samples.0a1b2c3d.tmp', 'seg_00010.samples']
    const needed = ['seg_00011.ts', 'seg_00011.samples', 'index.m3u8', 'EG_1234.json']
    for (const name of [...left, ...young, ...needed]) await writeFile(join(buffer.directory(id), name), 'x')
    for (const name of [...left, ...needed]) await age(join(buffer.directory(id), name))
    expect(await sweepBuffers(buffer.deps)).to.deep.equal({ leftovers: 4, directories: 0 })
    const kept = ['seg_00001.samples', 'seg_00002.samples', ...young, ...needed]
    expect(await buffer.files(id)).to.deep.equal(kept.toSorted())
  })

  it('sweeps the unlisted rest of a dead egress, but nothing that its playlist still names', async () => {
    const id = await buffer.addSession({ ...CLOCK, ...ENDED, expires_at: new Date('2027-01-01') })
    await buffer.land(id, 'egress-killed', { to: 2 })
    await writeFile(join(buffer.directory(id), 'seg_00005.ts'), 'half a copy')
    for (const name of await buffer.files(id)) await age(join(buffer.directory(id), name))
    expect(await sweepBuffers(buffer.deps), 'just ended').to.deep.equal({ leftovers: 0, directories: 0 })
    at(2)
    expect(await sweepBuffers(buffer.deps)).to.deep.equal({ leftovers: 1, directories: 0 })
    expect(await buffer.files(id)).to.deep.equal(['index.m3u8', 'live.m3u8', 'seg_00000.ts', 'seg_00001.ts'])
  })

  it('tells of a directory that no session knows, and deletes it when it is old and LiveKit does not know it', async () => {
    const [young, old, recording] = [uuidv7(), uuidv7(), uuidv7()]
    for (const id of [young, old, recording]) await mkdir(buffer.directory(id))
    await mkdir(join(buffer.bufferPath, 'not-ours'))
    for (const id of [old, recording]) await age(buffer.directory(id))
    const deps = { ...buffer.deps, egress: { listActive: async () => [{ sessionId: recording }] as never[] } }
    expect(await sweepUnknown(deps)).to.deep.equal({ rows: 0, directories: 1 })
    const found = buffer.lines.find((line) => line.message === 'directories without a session found')
    expect(found).to.include({ level: 'warn', count: 3 })
    expect(await stat(buffer.directory(old)).catch(() => 'gone')).to.equal('gone')
    for (const id of [young, recording]) expect((await stat(buffer.directory(id))).isDirectory()).to.equal(true)
    expect((await stat(join(buffer.bufferPath, 'not-ours'))).isDirectory()).to.equal(true)
  })

  it('lets the rows of a purged buffer go after a day', async () => {
    const gone = { ...ENDED, expires_at: RECORDED_AT, purged_at: RECORDED_AT }
    const id = await buffer.addSession(gone)
    const other = await buffer.addSession(CLOCK)
    await buffer.fill(id, 5, { isMarked: true })
    await buffer.fill(other, 5, { isMarked: true })
    at(23 * 60)
    expect(await sweepUnknown(buffer.deps)).to.deep.equal({ rows: 0, directories: 0 })
    at(25 * 60)
    expect(await sweepUnknown(buffer.deps)).to.deep.equal({ rows: 5, directories: 0 })
    expect(await buffer.rows(other)).to.have.length(5)
  })

  it('takes a file that is gone already for deleted, and says whose it is when it may not delete one', async () => {
    const id = await buffer.addSession(CLOCK)
    await buffer.fill(id, 2)
    expect(await deleteFiles(buffer.deps, id, ['seg_00000.samples', 'seg_00000.samples'])).to.equal(2)
    await rm(join(buffer.directory(id), 'seg_00001.samples'))
    await mkdir(join(buffer.directory(id), 'seg_00001.samples'))
    if (process.getuid?.() === 0) await chown(buffer.directory(id), 1001, 0)
    expect(await deleteFiles(buffer.deps, id, ['seg_00001.samples', 'seg_00000.samples'])).to.equal(0)
    const [line, ...more] = buffer.lines.filter(({ message }) => message === 'buffer files not deleted')
    expect(more).to.deep.equal([])
    expect(line).to.include({ sessionId: id, fileName: 'seg_00001.samples', ourUid: process.getuid?.(), left: 2 })
    expect(line?.['ownerUid']).to.equal(process.getuid?.() === 0 ? 1001 : process.getuid?.())
  })

  it('does for a node that is gone what it would have done itself', async () => {
    const ours = { ...CLOCK, ...ENDED, expires_at: RECORDED_AT }
    const elsewhere = await buffer.addSession({ ...ours, node: 'there' })
    const gone = await buffer.addSession({ ...ours, node: 'renamed' })
    await buffer.db
      .insertInto('instances')
      .values({ node: 'there', url: 'http://there', seen_at: new Date() })
      .execute()
    expect(await retainSegments(buffer.deps)).to.deep.equal({ segments: 0, sessions: 1 })
    const purged = await buffer.db
      .selectFrom('egress_sessions')
      .select('id')
      .where('purged_at', 'is not', null)
      .execute()
    expect(purged).to.deep.equal([{ id: gone }])
    expect(await purgeSession(buffer.deps, { sessionId: elsewhere })).to.equal('elsewhere')
  })
})
