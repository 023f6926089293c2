import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { readBeeps, readPictureClock } from '../../src/simulator/picture-clock.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

const FRAME_MS = 1000 / 15

describe('a recorded share', () => {
  let share: RecordedShare
  let token: string

  before(async () => {
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 20 })
    await until('the segments', async () => (await coverage()).coveredSeconds > 37)
  })
  after(() => share.stop())

  const coverage = async () =>
    (await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })).body.coverage as {
      coveredFrom: string
      coveredTo: string
      coveredSeconds: number
    }

  it('is captured from the asked-for instant on, to within one frame of its own clock', async () => {
    for (const offsetMs of [5000, 7330, 12_001, 20_999]) {
      const from = new Date(share.startedAtMs + offsetMs)
      const to = new Date(share.startedAtMs + offsetMs + 6_250)
      share.setClock(to.getTime() + 60_000)
      const clip = await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body: { from, to } })
      expect(clip.status).to.equal(201)
      expect(clip.body.coverage).to.include({ complete: true, clock: 'measured' })
      const frames = await framesOf(clip.body.links.file)
      const [first, last] = [frames[0]?.wallMs ?? 0, frames.at(-1)?.wallMs ?? 0]
      // What is on the screen at an instant was drawn up to a frame before it, and is 10 to 25 ms late.
      expect(first - from.getTime(), 'first frame').to.be.within(-FRAME_MS - 30, 5)
      expect(last - to.getTime(), 'last frame').to.be.within(-FRAME_MS - 30, 5)
      expect(clip.body.durationSeconds).to.be.closeTo(6.25, FRAME_MS / 1000)
    }
  })

  it('beeps in a clip when it beeped: at each full second, to within 20 ms', async () => {
    // The recorded sound is 42 ms behind the session clock, as it came from the publisher.
    const recordedLagMs = 42
    const from = new Date(share.startedAtMs + 8_400)
    const to = new Date(from.getTime() + 9_000)
    share.setClock(to.getTime() + 60_000)
    const clip = await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body: { from, to } })
    await framesOf(clip.body.links.file)
    const heard = await readBeeps(ffmpegInstaller.path, join(share.config.dataPath, 'downloaded.mp4'))
    // One that had begun before the clip is heard from its middle on.
    const beeps = heard.filter(({ ptsSeconds }) => ptsSeconds > 0.1)
    expect(beeps.length).to.be.within(8, 10)
    for (const { ptsSeconds, secondMod10 } of beeps) {
      const wallMs = Date.parse(clip.body.from) + ptsSeconds * 1000 - recordedLagMs
      const second = Math.round(wallMs / 1000)
      expect(second % 10).to.equal(secondMod10)
      expect(Math.abs(wallMs - second * 1000)).to.be.at.most(20)
    }
  })

  it('is the same bytes before and after it has come to rest', async () => {
    const to = new Date(share.startedAtMs + 30_000)
    share.setClock(to.getTime() + 30_000)
    const made = await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, {
      token,
      body: { from: new Date(to.getTime() - 10_000), to },
    })
    const before = await fetch(made.body.links.file)
    const bytes = Buffer.from(await before.arrayBuffer())
    const stored = await until('the clip at rest', async () => {
      const { body } = await share.call('GET', `/v1/clips/${made.body.id}`, { token })
      return body.stored === true && body
    })
    const after = await fetch(stored.links.file)
    expect(Buffer.from(await after.arrayBuffer()).equals(bytes)).to.equal(true)
    expect(after.headers.get('etag')).to.equal(before.headers.get('etag'))
    expect(stored.sizeBytes).to.equal(bytes.length)
  })

  async function framesOf(url: string) {
    const file = join(share.config.dataPath, 'downloaded.mp4')
    await writeFile(file, Buffer.from(await (await fetch(url)).arrayBuffer()))
    return readPictureClock(ffmpegInstaller.path, file)
  }
})
