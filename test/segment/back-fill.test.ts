import { copyFile, cp, mkdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { recordedDirectory } from '../support/recording.ts'
import { until } from '../support/until.ts'
import { startBuffer, writePlaylists, type TestBuffer } from './buffer.ts'

const PDT = Date.parse('2026-11-22T17:01:45.314Z')
const RECORDED = recordedDirectory('participant-stopped')
const segmentName = (n: number) => `seg_${String(n).padStart(5, '0')}.ts`

describe('back-fill', () => {
  let buffer: TestBuffer

  beforeEach(async () => {
    buffer = await startBuffer()
  })
  afterEach(() => buffer.stop())

  const untilRows = (id: string, count: number) =>
    until(`${count} rows`, async () => (await buffer.rows(id)).length === count && buffer.rows(id))

  it('catches up after a stop from the index, where the live playlist does not reach back', async () => {
    const id = await buffer.addSession()
    const first = await buffer.watch()
    await buffer.land(id, 'participant-stopped', { to: 3 })
    await untilRows(id, 3)
    await first.stop()
    await buffer.land(id, 'participant-stopped', { from: 3, to: 30 })
    await buffer.watch()
    expect(await buffer.rows(id)).to.have.length(30)
  })

  it('fills a hole when the index, which is written more seldom, has it at last', async () => {
    const id = await buffer.addSession()
    const directory = buffer.directory(id)
    const watcher = await buffer.watch()
    await buffer.land(id, 'participant-stopped', { to: 4 })
    await untilRows(id, 4)
    const staleIndex = await readFile(join(directory, 'index.m3u8'))
    await buffer.land(id, 'participant-stopped', { from: 4, to: 20 })
    await untilRows(id, 20)
    await buffer.db.deleteFrom('segments').where('session_id', '=', id).where('sequence', '>=', 4).execute()
    await cp(RECORDED, directory, { recursive: true, filter: (path) => !path.endsWith('.m3u8') })
    const freshIndex = await readFile(join(directory, 'index.m3u8'))
    await writeFile(join(directory, 'index.m3u8'), staleIndex)
    watcher.forget(id)
    await watcher.scan()
    const present = (await buffer.rows(id)).map((row) => row.sequence)
    expect(present).to.deep.equal([0, 1, 2, 3, 15, 16, 17, 18, 19])
    await writeFile(join(directory, 'index.m3u8'), freshIndex)
    await watcher.scan()
    expect(await buffer.rows(id)).to.have.length(20)
  })

  it('takes files that a dead egress left unlisted, as far as they are whole and follow on', async () => {
    const id = await buffer.addSession()
    const directory = buffer.directory(id)
    await buffer.land(id, 'egress-killed', { to: 2 })
    const watcher = await buffer.watch()
    expect(await buffer.rows(id)).to.have.length(2)
    for (const n of [2, 3, 4])
      await copyFile(join(recordedDirectory('egress-killed'), segmentName(n)), join(directory, segmentName(n)))
    // A copy that the dead egress did not finish.
    await truncate(join(directory, segmentName(4)), (await stat(join(directory, segmentName(4)))).size / 2 + 10)
    await watcher.scan()
    expect(await buffer.rows(id), 'while it may still be written').to.have.length(2)
    await buffer.setSession(id, { status: 'ended', ended_reason: 'lost', ended_at: new Date(), expires_at: new Date() })
    await watcher.scan()
    const rows = await buffer.rows(id)
    expect(rows.map((row) => row.sequence)).to.deep.equal([0, 1, 2, 3])
    for (const [i, row] of rows.slice(1).entries()) {
      const before = rows[i]
      expect(row.start_ms).to.be.closeTo((before?.start_ms ?? 0) + (before?.duration_ms ?? 0), 2)
    }
  })

  it('takes no unlisted file that belongs elsewhere', async () => {
    const id = await buffer.addSession()
    await buffer.land(id, 'egress-killed', { to: 2 })
    const watcher = await buffer.watch()
    await copyFile(join(RECORDED, segmentName(20)), join(buffer.directory(id), segmentName(2)))
    await buffer.setSession(id, { status: 'ended', ended_reason: 'lost', ended_at: new Date(), expires_at: new Date() })
    await watcher.scan()
    expect(await buffer.rows(id)).to.have.length(2)
  })

  it('waits for a file that is named but not there, and gives it up after a minute', async () => {
    const id = await buffer.addSession()
    const source = join(buffer.directory(id), segmentName(1))
    await buffer.land(id, 'participant-stopped', { to: 3 })
    await unlink(source)
    buffer.clock.now = new Date()
    const watcher = await buffer.watch()
    expect((await buffer.rows(id)).map((row) => row.sequence)).to.deep.equal([0, 2])
    await copyFile(join(RECORDED, segmentName(1)), source)
    await watcher.scan()
    expect((await buffer.rows(id)).map((row) => row.sequence)).to.deep.equal([0, 1, 2])

    await buffer.land(id, 'participant-stopped', { from: 3, to: 5 })
    await unlink(join(buffer.directory(id), segmentName(4))).catch(() => undefined)
    await buffer.db.deleteFrom('segments').where('sequence', '=', 4).execute()
    watcher.forget(id)
    await watcher.scan()
    buffer.clock.now = new Date(Date.now() + 61_000)
    await watcher.scan()
    expect(buffer.lines.filter((line) => line.message === 'segment lost')).to.have.length(1)
  })

  it('keeps media time through a restart hours later, when only the live playlist is left', async () => {
    const id = await buffer.addSession({ clock_origin: new Date(PDT - 700), clock_source: 'measured' })
    const directory = buffer.directory(id)
    await mkdir(directory)
    await copyFile(join(RECORDED, segmentName(25)), join(directory, segmentName(25)))
    await copyFile(join(RECORDED, segmentName(26)), join(directory, segmentName(26)))
    await writeFile(join(directory, segmentName(27)), 'not a segment')
    await writePlaylists(
      directory,
      [25, 26, 27].map((sequence) => ({ sequence, atMs: PDT + sequence * 2000 })),
    )
    await rm(join(directory, 'index.m3u8'))
    await buffer.watch()
    const rows = await buffer.rows(id)
    expect(rows.map((row) => Math.round(row.start_ms / 100))).to.deep.equal([500, 520, 540])
  })

  it('is right about media time after the 33-bit clock has come around', async () => {
    const id = await buffer.addSession()
    const directory = buffer.directory(id)
    const turnMs = 2 ** 33 / 90
    await mkdir(directory)
    for (const n of [0, 1, 2]) await copyFile(join(RECORDED, segmentName(n)), join(directory, segmentName(n)))
    await copyFile(join(RECORDED, segmentName(5)), join(directory, segmentName(123_456)))
    await writePlaylists(directory, [
      ...[0, 1, 2].map((sequence) => ({ sequence, atMs: PDT + sequence * 2000 })),
      { sequence: 123_456, atMs: Math.round(PDT + turnMs + 10_000) },
    ])
    await buffer.watch()
    const rows = await buffer.rows(id)
    expect(rows.map((row) => row.sequence)).to.deep.equal([0, 1, 2, 123_456])
    expect(rows.at(-1)?.start_ms).to.be.closeTo(turnMs + 10_000, 80)
  })
})
