import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { readPictureClock } from '../../src/simulator/picture-clock.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('posters', () => {
  let share: RecordedShare
  let token: string
  let directory: string
  let calls: string

  /** An ffmpeg that counts how often it is called, and how many there are at once. */
  async function countingFfmpeg(): Promise<string> {
    const path = join(directory, 'ffmpeg')
    await writeFile(
      path,
      `#!/bin/sh\necho begin >> ${calls}\n${ffmpegInstaller.path} "$@"\ncode=$?\necho end >> ${calls}\nexit $code\n`,
    )
    await chmod(path, 0o755)
    return path
  }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'livekit-replay-test-'))
    calls = join(directory, 'calls')
    await writeFile(calls, '')
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare('participant-stopped', { env: { FFMPEG_PATH: await countingFfmpeg() } })
    await share.land({ to: 8 })
    await landed(15)
    share.setClock(share.startedAtMs + 60_000)
  })
  afterEach(async () => {
    await share.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const session = async () => (await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })).body
  const landed = (seconds: number) =>
    until('the segments', async () => (await session()).coverage.coveredSeconds > seconds)
  const callsMade = async () => (await readFile(calls, 'utf8')).trim().split('\n').filter(Boolean)

  async function capture(offsetMs: number, more: object = {}) {
    const from = new Date(share.startedAtMs + offsetMs)
    const body = { from, to: new Date(from.getTime() + 2000), ...more }
    return (await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body })).body
  }

  /** The clock that is drawn into a picture. */
  async function clockIn(still: Buffer): Promise<number> {
    const file = join(directory, 'still.jpg')
    await writeFile(file, still)
    const [frame] = await readPictureClock(ffmpegInstaller.path, file)
    return frame?.wallMs ?? 0
  }

  const storedFiles = async () =>
    (await readdir(share.config.storagePath, { recursive: true })).filter((n) => /\./.test(n))
  const areStored = async () => {
    const names = await storedFiles()
    return ['.jpg', '.mp4'].every((end) => names.some((name) => name.endsWith(end)))
  }

  it('of a clip are made when it is: JPEG, 640 wide, the picture at the in-point', async () => {
    const clip = await capture(5333)
    await until('the poster', async () => (await storedFiles()).some((name) => name.endsWith(`${clip.id}.jpg`)))
    const answer = await fetch(clip.links.poster)
    expect(answer.headers.get('content-type')).to.equal('image/jpeg')
    const still = Buffer.from(await answer.arrayBuffer())
    expect(widthOf(still)).to.equal(640)
    expect(await clockIn(still)).to.be.closeTo(share.startedAtMs + 5333, 100)
    expect(await callsMade()).to.deep.equal(['begin', 'end'])
    const etag = answer.headers.get('etag') ?? ''
    expect((await fetch(clip.links.poster, { headers: { 'if-none-match': etag } })).status).to.equal(304)
  })

  it('of a clip go with it', async () => {
    const clip = await capture(3000)
    await until('both files', areStored)
    await share.call('DELETE', `/v1/clips/${clip.id}`, { token })
    expect(await storedFiles()).to.deep.equal([])
    expect((await fetch(clip.links.poster)).status).to.equal(404)
  })

  it('are made of the stored file when they got lost', async () => {
    const clip = await capture(4000)
    await until('both files', areStored)
    const poster = (await storedFiles()).find((name) => name.endsWith('.jpg')) ?? 'none'
    await rm(join(share.config.storagePath, poster))
    await share.restart()
    const link = clip.links.poster.replace(/^http:\/\/[^/]+/, share.url)
    const still = Buffer.from(await (await fetch(link)).arrayBuffer())
    expect(await clockIn(still)).to.be.closeTo(share.startedAtMs + 4000, 100)
  })

  it('of a session show its newest key frame, by one ffmpeg for all who ask within five seconds', async () => {
    const { links } = await session()
    const stills = await Promise.all(
      Array.from({ length: 20 }, async () => Buffer.from(await (await fetch(links.poster)).arrayBuffer())),
    )
    expect(await callsMade()).to.deep.equal(['begin', 'end'])
    expect(widthOf(stills[0])).to.equal(640)
    const first = await clockIn(stills[0] ?? Buffer.alloc(0))
    expect(first).to.be.within(share.startedAtMs + 13_900, share.startedAtMs + 16_100)

    await share.land({ from: 8, to: 12 })
    await landed(23)
    expect(Buffer.from(await (await fetch(links.poster)).arrayBuffer()).equals(stills[0] ?? Buffer.alloc(0))).to.equal(
      true,
    )
    share.clock.offsetMs += 5001
    const next = Buffer.from(await (await fetch(links.poster)).arrayBuffer())
    expect(await clockIn(next)).to.be.greaterThan(first + 6000)
    expect(await callsMade()).to.have.length(4)
  })

  it('that cannot be made are refused in words, and made as soon as they can be', async () => {
    const { links } = await session()
    const ffmpeg = await readFile(join(directory, 'ffmpeg'), 'utf8')
    await writeFile(join(directory, 'ffmpeg'), '#!/bin/sh\nexit 1\n')
    const answer = await fetch(links.poster)
    const { code } = (await answer.json()) as { code: string }
    expect([answer.status, code]).to.deep.equal([503, 'ffmpeg_failed'])
    await writeFile(join(directory, 'ffmpeg'), ffmpeg)
    expect((await fetch(links.poster)).status).to.equal(200)
  })
})

/** Of a JPEG, from its frame header (T.81, B.2.2). */
function widthOf(jpeg: Buffer | undefined): number {
  for (let at = 2; jpeg && at < jpeg.length; at += 2 + jpeg.readUInt16BE(at + 2)) {
    const marker = jpeg[at + 1] ?? 0
    if (marker >= 0xc0 && marker <= 0xc2) return jpeg.readUInt16BE(at + 7)
  }
  throw new Error('no JPEG')
}
