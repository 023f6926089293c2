import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { unpackFrameIndex } from '../../src/media/frame-index.ts'
import { repackSegment } from '../../src/media/sample-file.ts'
import { recordedDirectory } from '../support/recording.ts'
import { until } from '../support/until.ts'
import { RECORDED_AT, startBuffer, type TestBuffer } from './buffer.ts'

const RECORDED = recordedDirectory('participant-stopped')
const segmentName = (n: number) => `seg_${String(n).padStart(5, '0')}.ts`

describe('landing', () => {
  let buffer: TestBuffer

  beforeEach(async () => {
    buffer = await startBuffer()
  })
  afterEach(() => buffer.stop())

  const untilRows = (id: string, count: number) =>
    until(`${count} rows`, async () => (await buffer.rows(id)).length === count && buffer.rows(id))
  const untilFiles = (id: string, isWanted: (names: string[]) => boolean) =>
    until('the files', async () => {
      const names = await buffer.files(id)
      return isWanted(names) && names
    })

  it('makes of each closed segment a sample file and a row, and the .ts goes', async () => {
    const id = await buffer.addSession()
    await buffer.watch()
    await buffer.land(id, 'participant-stopped', { to: 4 })
    const rows = await untilRows(id, 4)
    const names = await untilFiles(id, (found) => !found.some((name) => name.endsWith('.ts')))
    expect(names).to.deep.equal(['index.m3u8', 'live.m3u8', ...rows.map((row) => row.file_name)])
    for (const row of rows) {
      const made = repackSegment(await readFile(join(RECORDED, segmentName(row.sequence))), true)
      if ('unreadable' in made) throw new Error(made.unreadable)
      const file = await readFile(join(buffer.directory(id), row.file_name))
      expect(file.equals(made.sampleFile)).to.equal(true)
      expect(row.size_bytes).to.equal(file.length)
      const frames = await buffer.db
        .selectFrom('segment_frames')
        .select('frame_index')
        .where('session_id', '=', id)
        .where('sequence', '=', row.sequence)
        .executeTakeFirstOrThrow()
      expect(unpackFrameIndex(frames.frame_index).firstDts).to.equal(made.frameIndex.firstDts)
    }
    expect(rows.map(({ start_ms, duration_ms }) => [start_ms, duration_ms])).to.deep.equal([
      [0, 2000],
      [2000, 2000],
      [4000, 2000],
      [6000, 2000],
    ])
    const session = await buffer.db.selectFrom('egress_sessions').selectAll().executeTakeFirstOrThrow()
    expect(session).to.include({ node: 'here', clock_source: 'estimated' })
  })

  it('does nothing twice, however often a playlist is written', async () => {
    const id = await buffer.addSession()
    const watcher = await buffer.watch()
    for (const to of [1, 2, 3]) {
      await buffer.land(id, 'participant-stopped', { from: to - 1, to })
      await untilRows(id, to)
    }
    const rows = await buffer.rows(id)
    const live = join(buffer.directory(id), 'live.m3u8')
    for (let n = 0; n < 5; n += 1) await writeFile(live, await readFile(live))
    await watcher.scan()
    await watcher.scan()
    expect(await buffer.rows(id)).to.deep.equal(rows)
    expect(watcher.figures().map(({ sessionId, driftMs }) => [sessionId, driftMs])).to.deep.equal([[id, 0]])
  })

  it('keeps what cannot be read, and says why', async () => {
    const id = await buffer.addSession()
    await buffer.land(id, 'participant-stopped', { to: 3 })
    await writeFile(join(buffer.directory(id), segmentName(1)), 'not a segment')
    await buffer.watch()
    const rows = await buffer.rows(id)
    expect(rows).to.have.length(3)
    expect(rows[1]).to.include({ file_name: segmentName(1), size_bytes: 13 })
    expect(rows[1]?.unreadable).to.be.a('string')
    expect(rows[1]?.start_ms).to.be.closeTo(2000, 70)
    expect(await buffer.files(id))
      .to.include(segmentName(1))
      .and.not.include(segmentName(0))
  })

  it('holds nobody up for a file that may not be read', async () => {
    const id = await buffer.addSession()
    await buffer.land(id, 'participant-stopped', { to: 3 })
    await rm(join(buffer.directory(id), segmentName(1)))
    await mkdir(join(buffer.directory(id), segmentName(1)))
    await buffer.watch()
    expect((await buffer.rows(id)).map((row) => row.sequence)).to.deep.equal([0, 2])
    expect(buffer.lines.filter((line) => line.message === 'segment not landed')).to.have.length(1)
  })

  it('sees a network file system by asking it', async () => {
    const id = await buffer.addSession()
    await buffer.watch({ polling: true, scanIntervalMs: 3_600_000 })
    await buffer.land(id, 'participant-stopped', { to: 2 })
    await untilRows(id, 2)
    await buffer.land(id, 'participant-stopped', { from: 2, to: 3 })
    await untilRows(id, 3)
  })

  it('sees a directory that was deleted and made again', async () => {
    const id = await buffer.addSession()
    await buffer.watch({ scanIntervalMs: 3_600_000 })
    await buffer.land(id, 'participant-stopped', { to: 2 })
    await untilRows(id, 2)
    await untilFiles(id, (names) => !names.some((name) => name.endsWith('.ts')))
    await rm(buffer.directory(id), { recursive: true })
    await buffer.land(id, 'participant-stopped', { from: 2, to: 4 })
    await untilRows(id, 4)
  })

  it('is done once when two instances watch the same disk', async () => {
    const id = await buffer.addSession()
    await buffer.watch()
    await buffer.watch()
    for (let to = 4; to <= 32; to += 4) await buffer.land(id, 'participant-stopped', { from: to - 4, to })
    const rows = await untilRows(id, 32)
    const names = await untilFiles(id, (found) => !found.some((name) => /\.(ts|tmp)$/.test(name)))
    expect(names).to.have.length(34)
    for (const row of rows) {
      const { size } = await stat(join(buffer.directory(id), row.file_name))
      expect(size, row.file_name).to.equal(row.size_bytes)
    }
    expect(buffer.lines.filter(({ level }) => level === 'error')).to.deep.equal([])
  })

  it('lands nothing more of a buffer that was purged', async () => {
    const id = await buffer.addSession({
      status: 'ended',
      ended_at: RECORDED_AT,
      expires_at: RECORDED_AT,
      purged_at: RECORDED_AT,
    })
    await buffer.land(id, 'participant-stopped', { to: 2 })
    const watcher = await buffer.watch()
    await watcher.scan()
    expect(await buffer.rows(id)).to.deep.equal([])
  })
})
