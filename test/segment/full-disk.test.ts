import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { assertFreeSpace, createDiskWatch, readDisk, type DiskDeps } from '../../src/segment/full-disk.ts'
import { RECORDED_AT, startBuffer, type TestBuffer } from './buffer.ts'

const run = promisify(execFile)
const MIB = 1024 ** 2
const SEGMENT = MIB / 8
const LIMITS = { cleanupBufferMs: 720_000, minFreeBytes: 4 * MIB }
const CLOCK = { clock_origin: RECORDED_AT, clock_source: 'measured', node: 'here' } as const

describe('a full disk', () => {
  let buffer: TestBuffer
  let disk: string
  let storagePath: string
  let deps: DiskDeps

  before(async function () {
    disk = await mkdtemp(join(tmpdir(), 'livekit-replay-disk-'))
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]).then(
      () => true,
      () => false,
    )
    if (mounted) return
    process.stdout.write('    skipped: a small file system can be mounted by root only\n')
    this.skip()
  })
  after(async () => {
    await run('umount', [disk]).catch(() => undefined)
    await rm(disk, { recursive: true })
  })

  beforeEach(async () => {
    buffer = await startBuffer(join(disk, 'buffer'))
    storagePath = join(disk, 'replays')
    deps = { ...buffer.deps, storagePath, config: LIMITS }
  })
  afterEach(() => buffer.stop())

  const live = async (id: string) => (await buffer.rows(id)).filter((row) => !row.deleted_at).map((row) => row.sequence)

  it('takes the oldest of the longest buffers, leaves what clips need, and recovers by itself', async () => {
    const long = await buffer.addSession(CLOCK)
    const short = await buffer.addSession(CLOCK)
    await buffer.fill(long, 72, { bytes: SEGMENT })
    await buffer.fill(short, 20, { bytes: SEGMENT })
    await buffer.pin(long, [
      [0, 2],
      [30, 30],
    ])
    const watchDisk = createDiskWatch(deps)
    await watchDisk()
    expect((await live(long)).slice(0, 6)).to.deep.equal([0, 1, 2, 3, 4, 5])

    // Somebody else fills the disk.
    const { bufferFreeBytes } = await readDisk(deps)
    await writeFile(join(disk, 'other'), Buffer.alloc(bufferFreeBytes - 2 * MIB))
    expect((await readDisk(deps)).isFull).to.equal(true)
    const refused = await assertFreeSpace(deps).catch((error: unknown) => error)
    expect(refused).to.include({ code: 'storage_full' })

    const { segments } = await watchDisk()
    expect(segments).to.be.within(17, 20)
    const left = await live(long)
    expect(left.slice(0, 3)).to.deep.equal([0, 1, 2])
    expect(left[3]).to.equal(3 + segments)
    expect(left).to.include(30)
    expect(await live(short)).to.have.length(20)
    expect((await buffer.files(long)).length).to.equal(left.length)
    expect((await readDisk(deps)).isFull).to.equal(false)
    await assertFreeSpace(deps)
    expect(await watchDisk()).to.deep.equal({ segments: 0 })
    const told = buffer.lines.filter(({ message }) => message.startsWith('disk '))
    expect(told.map(({ level, message }) => [level, message])).to.deep.equal([
      ['error', 'disk full, buffers are cut short and clips refused'],
      ['warn', 'disk has room again'],
    ])
    await rm(join(disk, 'other'))
  })

  it('takes from the next longest when buffers have become alike', async () => {
    const ids = [await buffer.addSession(CLOCK), await buffer.addSession(CLOCK)]
    for (const id of ids) await buffer.fill(id, 45, { bytes: SEGMENT })
    const { bufferFreeBytes } = await readDisk(deps)
    await writeFile(join(disk, 'other'), Buffer.alloc(bufferFreeBytes - MIB))
    await createDiskWatch(deps)()
    const left = await Promise.all(ids.map(async (id) => (await live(id)).length))
    expect(Math.abs((left[0] ?? 0) - (left[1] ?? 0))).to.be.at.most(5)
    await rm(join(disk, 'other'))
  })

  it('says that it can do no more when all that is left is needed', async () => {
    const id = await buffer.addSession(CLOCK)
    await buffer.fill(id, 100, { bytes: SEGMENT })
    await buffer.pin(id, [[0, 99]])
    expect(await createDiskWatch(deps)()).to.deep.equal({ segments: 0 })
    expect(await live(id)).to.have.length(100)
    expect(buffer.lines.map(({ message }) => message)).to.include('disk full, and nothing is left that may be deleted')
  })

  it('is full also when only the place where clips rest is', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'livekit-replay-elsewhere-'))
    await mkdir(storagePath, { recursive: true })
    await writeFile(join(storagePath, 'other'), Buffer.alloc(13 * MIB))
    const state = await readDisk({ bufferPath: elsewhere, storagePath, config: LIMITS })
    expect(state.isFull).to.equal(true)
    await rm(join(storagePath, 'other'))
    await rm(elsewhere, { recursive: true })
  })

  it('holds up a landing without losing the segment', async () => {
    const id = await buffer.addSession()
    await buffer.land(id, 'participant-stopped', { to: 2 })
    const { bufferFreeBytes } = await readDisk(deps)
    await writeFile(join(disk, 'other'), Buffer.alloc(bufferFreeBytes - 16_384))
    const watcher = await buffer.watch()
    expect(await live(id)).to.deep.equal([])
    expect(await buffer.files(id)).to.deep.equal(['index.m3u8', 'live.m3u8', 'seg_00000.ts', 'seg_00001.ts'])
    await rm(join(disk, 'other'))
    await watcher.scan()
    expect(await live(id)).to.deep.equal([0, 1])
  })
})
