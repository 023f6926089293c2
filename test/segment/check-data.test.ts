import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFile, mkdir, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { v7 as uuidv7 } from 'uuid'
import { runChecks } from '../../src/check-data/run-checks.ts'
import { sweepStorage } from '../../src/check-data/storage-checks.ts'
import { RECORDED_AT, startBuffer, type TestBuffer } from './buffer.ts'

const LONG_AGO = new Date('2026-01-01T00:00:00Z')
const FOLDER = 'a'.repeat(24)

describe('check-data', () => {
  let buffer: TestBuffer
  let storagePath: string

  beforeEach(async () => {
    buffer = await startBuffer()
    storagePath = join(buffer.bufferPath, 'replays')
    await mkdir(join(storagePath, FOLDER), { recursive: true })
  })
  afterEach(() => buffer.stop())

  /** What is wrong in the end, and what was said of what is. */
  async function check(options: { repair?: boolean; force?: boolean } = {}) {
    const lines: string[] = []
    const settings = { repair: false, force: false, say: (line: string) => lines.push(line), ...options }
    const left = await runChecks({ ...buffer.deps, storagePath }, settings)
    const wrong = lines.flatMap((line) => /^(\S.*?) {2,}\d+ +([1-9]\d*) +(\d+)$/.exec(line)?.slice(1) ?? [])
    return { left, wrong, lines }
  }

  async function addClip(bytes = 100): Promise<string> {
    const session = await buffer.addSession()
    const id = await buffer.pin(session, [])
    const fileId = uuidv7()
    const path = `${FOLDER}/${id}.mp4`
    const content = Buffer.alloc(bytes, id)
    await writeFile(join(storagePath, path), content)
    const sha256 = createHash('sha256').update(content).digest('hex')
    const file = { id: fileId, path, size_bytes: bytes, sha256, mime_type: 'video/mp4', created_at: RECORDED_AT }
    await buffer.db.insertInto('files').values(file).execute()
    await buffer.db.updateTable('replay_clips').set({ file_id: fileId }).where('id', '=', id).execute()
    const used = (await buffer.db.selectFrom('files').select('size_bytes').execute()).reduce(
      (sum, row) => sum + row.size_bytes,
      0,
    )
    await buffer.db
      .insertInto('user_quotas')
      .values({ user_id: 'alice', used_bytes: used, limit_bytes: null })
      .onConflict((oc) => oc.column('user_id').doUpdateSet({ used_bytes: used }))
      .execute()
    return path
  }

  async function addBuffer(count: number): Promise<string> {
    const id = await buffer.addSession({ node: 'here' })
    await buffer.fill(id, count)
    return id
  }

  it('finds nothing where all is well', async () => {
    await addBuffer(4)
    await addClip()
    expect(await check()).to.deep.include({ left: 0, wrong: [] })
  })

  it('finds segments without their whole file, and marks them as deleted', async () => {
    const id = await addBuffer(8)
    await rm(join(buffer.directory(id), 'seg_00001.samples'))
    await truncate(join(buffer.directory(id), 'seg_00002.samples'), 3)
    expect(await check()).to.deep.include({ left: 2, wrong: ['segments have their file, whole', '2', '0'] })
    const repaired = await check({ repair: true })
    expect(repaired.left).to.equal(0)
    const deleted = (await buffer.rows(id)).filter((row) => row.deleted_at).map((row) => row.sequence)
    expect(deleted).to.deep.equal([1, 2])
    // What is left of the cut file is of no use any more.
    expect((await check()).left).to.equal(0)
  })

  it('does not delete more than half of anything, unless forced: a disk may not be mounted', async () => {
    const id = await addBuffer(4)
    await rename(buffer.directory(id), join(buffer.bufferPath, 'elsewhere'))
    const refused = await check({ repair: true })
    expect(refused).to.deep.include({ left: 4, wrong: ['segments have their file, whole', '4', '0'] })
    expect(refused.lines.join('\n')).to.include('not repaired: 4 of 4 would be deleted')
    expect((await check({ repair: true, force: true })).left).to.equal(0)
  })

  it('leaves a lost segment that a clip needs for a person to see', async () => {
    const id = await addBuffer(4)
    await buffer.pin(id, [[1, 1]])
    await rm(join(buffer.directory(id), 'seg_00001.samples'))
    expect((await check({ repair: true })).left).to.be.at.least(1)
    expect((await buffer.rows(id)).every((row) => row.deleted_at === null)).to.equal(true)
  })

  it('finds files that nobody needs, in the buffer and in the storage', async () => {
    const id = await addBuffer(4)
    await addClip()
    await addClip()
    const left = [
      join(buffer.directory(id), 'seg_00001.ts'),
      join(buffer.directory(id), 'seg_00077.samples'),
      join(storagePath, FOLDER, `${uuidv7()}.mp4`),
    ]
    for (const path of left) {
      await writeFile(path, 'x')
      await utimes(path, LONG_AGO, LONG_AGO)
    }
    expect((await check()).left).to.equal(3)
    expect((await check({ repair: true })).left).to.equal(0)
    for (const path of left) expect(await stat(path).catch(() => 'gone')).to.equal('gone')
  })

  it('finds a clip whose file is missing, short or changed, and does not pretend to repair it', async () => {
    const [missing, short, changed] = [await addClip(), await addClip(), await addClip()]
    await addClip()
    await rm(join(storagePath, missing))
    await appendFile(join(storagePath, short), 'more')
    await writeFile(join(storagePath, changed), Buffer.alloc(100))
    const { left, lines } = await check({ repair: true })
    expect(left).to.equal(3)
    expect(lines.join('\n'))
      .to.include('is missing')
      .and.include('104 bytes, not 100')
      .and.include('bytes have changed')
  })

  it('finds quotas that are not the sum of the files, and pins that hold on for nothing', async () => {
    const id = await addBuffer(4)
    await addClip()
    await buffer.db.updateTable('user_quotas').set({ used_bytes: 7, reserved_bytes: 3 }).execute()
    const clip = await buffer.pin(id, [[1, 1]])
    await buffer.db
      .updateTable('replay_clips')
      .set({ status: 'failed', size_bytes: null })
      .where('id', '=', clip)
      .execute()
    expect((await check()).left).to.equal(2)
    expect((await check({ repair: true })).left).to.equal(0)
    const quota = await buffer.db.selectFrom('user_quotas').selectAll().executeTakeFirstOrThrow()
    expect(quota).to.include({ used_bytes: 100, reserved_bytes: 0 })
  })

  it('finds a clip that nobody is bringing to rest, and has it done', async () => {
    const id = await addBuffer(4)
    await buffer.pin(id, [[1, 1]])
    expect((await check()).wrong).to.deep.equal(['ready clips have a file, or a job that makes it', '1', '0'])
    await check({ repair: true })
    expect((await check()).left).to.equal(0)
  })

  it('finds a purged buffer that is still there, and a directory of nobody', async () => {
    const gone = { status: 'ended', ended_at: RECORDED_AT, expires_at: RECORDED_AT, purged_at: RECORDED_AT } as const
    await mkdir(buffer.directory(await buffer.addSession(gone)))
    await addBuffer(1)
    await addBuffer(1)
    await mkdir(buffer.directory(uuidv7()))
    expect((await check({ repair: true })).wrong).to.deep.equal([
      'purged buffers are gone from the disk',
      '1',
      '1',
      'directories in the buffer have their session',
      '1',
      '0',
    ])
  })

  it('looks past what lies on the disks of other nodes', async () => {
    await buffer.fill(await buffer.addSession({ node: 'there' }), 3)
    await rm(buffer.bufferPath, { recursive: true })
    await mkdir(buffer.bufferPath)
    const { lines } = await check()
    expect(lines.find((line) => line.startsWith('segments have their file'))).to.match(/ 0 +0 +0$/)
  })

  it('sweeps the storage each hour, unless most of it is unknown', async () => {
    await addClip()
    await addClip()
    const stray = join(storagePath, FOLDER, `${uuidv7()}.mp4`)
    await writeFile(stray, 'x')
    expect(await sweepStorage({ ...buffer.deps, storagePath })).to.deep.equal({ files: 0 })
    await utimes(stray, LONG_AGO, LONG_AGO)
    expect(await sweepStorage({ ...buffer.deps, storagePath })).to.deep.equal({ files: 1 })
    await utimes(join(storagePath, await addClip()), LONG_AGO, LONG_AGO)
    await buffer.db.deleteFrom('replay_clips').execute()
    for (const name of await buffer.files(`replays/${FOLDER}`))
      await utimes(join(storagePath, FOLDER, name), LONG_AGO, LONG_AGO)
    expect(await sweepStorage({ ...buffer.deps, storagePath })).to.deep.equal({ files: 0 })
  })

  it('is a command that exits 0 only when all is well', async () => {
    const id = await addBuffer(4)
    const well = await command()
    expect(well.output).to.match(/all is well\n$/)
    expect(well.code).to.equal(0)
    await rm(join(buffer.directory(id), 'seg_00001.samples'))
    expect((await command()).code).to.equal(1)
    expect((await command('--repair')).code).to.equal(0)
  })

  async function command(...args: string[]): Promise<{ code: number; output: string }> {
    const env = {
      PATH: process.env['PATH'],
      LIVEKIT_URL: 'http://127.0.0.1:1',
      LIVEKIT_API_KEY: 'key',
      LIVEKIT_API_SECRET: 'secretsecretsecretsecretsecretsecret',
      DATABASE_URL: buffer.databaseUrl,
      REPLAY_DATA_PATH: buffer.bufferPath,
      REPLAY_BUFFER_PATH: buffer.bufferPath,
      REPLAY_STORAGE_PATH: storagePath,
      REPLAY_NODE: 'here',
    }
    const cwd = new URL('../..', import.meta.url).pathname
    return new Promise((resolve) => {
      execFile(process.execPath, ['src/check-data.ts', ...args], { env, cwd }, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr })
      })
    })
  }
})
