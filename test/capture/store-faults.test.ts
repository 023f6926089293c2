import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { askToStore } from '../../src/capture/ask-to-store.ts'
import { clipPath } from '../../src/clip/clip-path.ts'
import { freeBytes } from '../../src/disk.ts'
import { readPictureClock } from '../../src/simulator/picture-clock.ts'
import { hurryJob } from '../support/hurry-job.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken, type Answer } from '../support/service.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)
const KIB = 1024

/** On a storage of its own, which a test can fill. */
describe('a clip that cannot come to rest', () => {
  let share: RecordedShare
  let token: string
  let disk: string
  let isMounted: boolean

  before(async () => {
    disk = await mkdtemp(join(tmpdir(), 'livekit-replay-disk-'))
    isMounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]).then(
      () => true,
      () => false,
    )
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare('participant-stopped', { config: { storagePath: disk } })
    await share.land({ to: 20 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
      return body.coverage.coveredSeconds > 37
    })
    share.setClock(share.startedAtMs + 60_000)
  })
  after(async () => {
    await share.stop()
    if (isMounted) await run('umount', [disk])
    await rm(disk, { recursive: true })
  })

  async function capture(fromSeconds: number): Promise<Answer['body']> {
    const from = new Date(share.startedAtMs + fromSeconds * 1000)
    const body = { from, to: new Date(from.getTime() + 18_000) }
    const made = await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body })
    expect(made.status).to.equal(201)
    return made.body
  }

  const clipOf = async (id: string) => (await share.call('GET', `/v1/clips/${id}`, { token })).body
  const stored = (id: string) =>
    until('the clip at rest', async () => {
      const clip = await clipOf(id)
      return clip.stored && clip
    })
  const download = async (link: string) => Buffer.from(await (await fetch(link)).arrayBuffer())
  const pinCount = async () => (await share.service.db.selectFrom('clip_segments').selectAll().execute()).length
  /** Of the clip, in the storage. */
  async function filesOf(id: string): Promise<string[]> {
    const names = await readdir(join(disk, clipPath({ id, user_id: USER }).split('/')[0] ?? ''))
    return names.filter((name) => name.startsWith(id) && !name.includes('.jpg'))
  }

  const failures = (id: string) =>
    share.lines.filter(
      ({ message, clipId, job }) =>
        clipId === id && String(job).startsWith('store_clip') && /^job (failed|given up)/.test(message),
    )

  async function failedTry(id: string): Promise<string> {
    const line = await until('a failed try', () => failures(id).at(-1))
    return String(line['error'])
  }

  const hurry = (id: string, isLast = false) => hurryJob(share.service.db, `store:${id}`, isLast)

  const clocksOf = async (source: string) =>
    (await readPictureClock(ffmpegInstaller.path, source)).map(({ wallMs }) => wallMs)

  it('for the disk is full plays and downloads from its segments, leaves nothing of its tries, and is stored once there is room', async function () {
    if (!isMounted) {
      process.stdout.write('    skipped: a small file system can be mounted by root only\n')
      this.skip()
    }
    const others = join(disk, 'others')
    await writeFile(others, Buffer.alloc((await freeBytes(disk)) - 128 * KIB))
    const clip = await capture(2)
    expect(clip.sizeBytes).to.be.greaterThan(160 * KIB)
    expect(await failedTry(clip.id)).to.match(/ENOSPC/)
    expect(await filesOf(clip.id)).to.deep.equal([])
    expect(await freeBytes(disk)).to.be.at.least(64 * KIB)

    expect(await clipOf(clip.id)).to.include({ status: 'ready', stored: false, sha256: null, error: null })
    const pins = await pinCount()
    expect(pins).to.be.greaterThan(0)
    const bytes = await download(clip.links.file)
    expect(bytes.length).to.equal(clip.sizeBytes)
    const path = join(share.config.dataPath, 'downloaded.mp4')
    await writeFile(path, bytes)
    const clocks = await clocksOf(path)
    expect(clocks.length / 30).to.be.closeTo(clip.durationSeconds, 0.1)
    const playlist = await (await fetch(clip.links.playlist)).text()
    expect(playlist).to.match(/#EXT-X-ENDLIST/)
    expect((await clocksOf(clip.links.playlist)).slice(-clocks.length)).to.deep.equal(clocks)

    await hurry(clip.id)
    await until('a second failed try', () => failures(clip.id).length > 1)
    expect(await filesOf(clip.id)).to.deep.equal([])
    expect(await pinCount()).to.equal(pins)

    await rm(others)
    await hurry(clip.id)
    const kept = await stored(clip.id)
    expect(kept.sha256).to.equal(createHash('sha256').update(bytes).digest('hex'))
    expect((await download(kept.links.file)).equals(bytes)).to.equal(true)
    expect(await filesOf(clip.id)).to.deep.equal([`${clip.id}.mp4`])
    expect(await pinCount()).to.equal(0)
  })

  it('for a sample file is missing serves all but that, keeps its pins, and is stored once it is there again', async () => {
    const lost = join(share.directory, 'seg_00009.samples')
    await rename(lost, `${lost}.away`)
    const clip = await capture(3)
    expect(await failedTry(clip.id)).to.match(/seg_00009\.samples is missing/)
    expect(await clipOf(clip.id)).to.include({ status: 'ready', stored: false, error: null })
    expect(await filesOf(clip.id)).to.deep.equal([])
    const pins = await pinCount()
    expect(pins).to.be.greaterThan(0)
    const whole = await download(clip.links.file).catch((error: Error) => error)
    expect(whole, 'a download of all of it').to.be.instanceOf(Error)
    const head = await fetch(clip.links.file, { headers: { range: 'bytes=0-29999' } })
    const beginning = Buffer.from(await head.arrayBuffer())
    expect([head.status, beginning.length]).to.deep.equal([206, 30_000])

    await hurry(clip.id, true)
    await until('the last try', () => share.lines.some(({ message }) => message === 'job given up'))
    const given = await until('its error', async () => {
      const found = await clipOf(clip.id)
      return found.error !== null && found
    })
    expect(given).to.include({ status: 'ready', stored: false })
    expect(given.error).to.match(/could not be written/)
    expect(await pinCount()).to.equal(pins)

    await rename(`${lost}.away`, lost)
    const bytes = await download(clip.links.file)
    expect(bytes.length).to.equal(clip.sizeBytes)
    expect(bytes.subarray(0, 30_000).equals(beginning)).to.equal(true)
    // As `npm run check-data -- --repair` does for a clip whose job was given up.
    await share.service.db.transaction().execute((trx) => askToStore(trx, share.sessionId, clip.id))
    const kept = await stored(clip.id)
    expect(kept.error).to.equal(null)
    expect(kept.sha256).to.equal(createHash('sha256').update(bytes).digest('hex'))
    expect((await download(kept.links.file)).equals(bytes)).to.equal(true)
    expect(await pinCount()).to.equal(0)
  })

  it('has a poster for who looks, though the disk is full, and its tries leave nothing behind', async function () {
    if (!isMounted) this.skip()
    const others = join(disk, 'others')
    await writeFile(others, Buffer.alloc((await freeBytes(disk)) - 4 * KIB))
    const clip = await capture(3)
    for (let n = 0; n < 3; n += 1) {
      const answer = await fetch(clip.links.poster)
      expect([answer.status, (await answer.arrayBuffer()).byteLength > KIB]).to.deep.equal([200, true])
    }
    await until('nothing of its tries', async () => {
      const names = await readdir(disk, { recursive: true })
      return !names.some((name) => name.includes(`${clip.id}.jpg`))
    })
    await rm(others)
  })
})
