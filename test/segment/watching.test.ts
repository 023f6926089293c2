import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import type { Browser, Page } from 'playwright-core'
import { readPictureClock } from '../../src/simulator/picture-clock.ts'
import { openBrowser, openPlayer, shownClock } from '../support/browser.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('a buffer that is watched', () => {
  let share: RecordedShare
  let token: string
  let link: string

  before(async () => {
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 12 })
    await untilLanded(12)
    share.setClock(share.startedAtMs + 30_000)
    link = (await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })).body.links.playlist
  })
  after(() => share.stop())

  const untilLanded = (count: number) =>
    until(`${count} segments`, async () => {
      const rows = await share.service.db.selectFrom('segments').select('sequence').execute()
      return rows.length === count
    })
  const playlist = async () => (await fetch(link)).text()
  const address = (name: string) => new URL(name, link).href

  it('is a playlist for members of its room, by token or by link, and for nobody else', async () => {
    const path = `/v1/sessions/${share.sessionId}/playlist.m3u8`
    const own = await share.call('GET', path, { token })
    expect(own.status).to.equal(200)
    expect(own.headers.get('content-type')).to.match(/^application\/vnd\.apple\.mpegurl/)
    expect(own.headers.get('cache-control')).to.equal('no-store')
    expect(own.body.toString()).to.match(/\nsegment-0\.m4s\n/)
    expect(await playlist()).to.match(/\nsegment-0\.m4s\?token=\S+\n/)
    expect((await share.call('GET', path)).status).to.equal(401)
    expect((await share.call('GET', path, { token: await memberToken('mallory', 'elsewhere') })).status).to.equal(403)
    expect((await fetch(link.replace(/.{4}$/, '0000'))).status).to.equal(401)
    const other = link.replace(share.sessionId, '01920000-0000-7000-8000-000000000000')
    expect((await fetch(other)).status).to.equal(404)
  })

  it('plays in ffmpeg from its init segment and its segments, with the right clock in every picture', async () => {
    const text = await playlist()
    const init = /URI="([^"]+)"/.exec(text)?.[1] ?? ''
    const segments = [...text.matchAll(/^segment-\S+$/gm)].map(([name]) => name)
    expect(segments).to.have.length(12)
    const parts = await Promise.all([init, ...segments.slice(3, 6)].map((name) => fetch(address(name))))
    for (const part of parts) expect(part.headers.get('cache-control')).to.match(/immutable/)
    const bytes = await Promise.all(parts.map(async (part) => Buffer.from(await part.arrayBuffer())))
    const path = join(share.config.dataPath, 'watched.mp4')
    await writeFile(path, Buffer.concat(bytes))
    const frames = await readPictureClock(ffmpegInstaller.path, path)
    expect(frames).to.have.length(180)
    const instants = [...text.matchAll(/PROGRAM-DATE-TIME:(\S+)/g)].map(([, at = '']) => Date.parse(at))
    for (const [i, frame] of frames.entries()) {
      const wall = (instants[3] ?? 0) + (i * 1000) / 30
      expect((frame.wallMs ?? 0) - wall, `picture ${i}`).to.be.within(-150, 50)
    }
  })

  it('serves ranges of a segment, and says that it never changes', async () => {
    const name = /^segment-2\.m4s\S*$/m.exec(await playlist())?.[0] ?? ''
    const whole = await fetch(address(name))
    const bytes = Buffer.from(await whole.arrayBuffer())
    const part = await fetch(address(name), { headers: { range: 'bytes=100-5000' } })
    expect(part.status).to.equal(206)
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(100, 5001))).to.equal(true)
    const etag = whole.headers.get('etag') ?? ''
    expect((await fetch(address(name), { headers: { 'if-none-match': etag } })).status).to.equal(304)
    for (const wrong of ['segment-99.m4s', 'segment-x.m4s', 'init-0123456789ab.mp4', 'init-..mp4'])
      expect((await share.call('GET', `/v1/sessions/${share.sessionId}/${wrong}`, { token })).status).to.equal(404)
  })

  describe('in Chromium, by hls.js', () => {
    let browser: Browser | undefined
    let page: Page

    before(async function () {
      this.timeout(60_000)
      browser = await openBrowser()
      if (browser) page = await openPlayer(browser, share.url, link)
      else this.skip()
    })
    after(() => browser?.close())

    /** Where a wall clock instant is in the player, by the playlist's own clock. */
    const seekToClock = (wallMs: number) =>
      page.evaluate(`(async () => {
        const fragments = hls.levels[0].details.fragments
        const one = fragments.findLast((fragment) => fragment.programDateTime <= ${wallMs})
        await seek(one.start + (${wallMs} - one.programDateTime) / 1000)
      })()`)

    it('seeks to any wall clock instant, and shows the picture of it to 150 ms', async function () {
      this.timeout(60_000)
      for (const offsetMs of [3000, 17_450, 8040, 21_900, 12_666]) {
        const wallMs = share.startedAtMs + offsetMs
        await seekToClock(wallMs)
        const shown = await until('a picture with its clock', async () => (await shownClock(page)) ?? undefined)
        expect(shown - wallMs, `at ${offsetMs}`).to.be.within(-150, 150)
      }
    })

    it('plays on while it grows, over what is missing, and to its end', async function () {
      this.timeout(90_000)
      await share.land({ from: 12, to: 14 })
      await untilLanded(14)
      await share.land({ from: 14, to: 20 })
      await untilLanded(20)
      // Lost in the middle: a gap.
      const gone = { deleted_at: new Date() }
      await share.service.db.updateTable('segments').set(gone).where('sequence', 'in', [16, 17]).execute()
      const ended = {
        status: 'ended',
        ended_reason: 'unshared',
        ended_at: new Date(0),
        expires_at: new Date(8e12),
      } as const
      await share.service.db.updateTable('egress_sessions').set(ended).where('id', '=', share.sessionId).execute()
      const grown = await playlist()
      expect(grown.match(/#EXT-X-GAP/g)).to.have.length(2)
      expect(grown).to.match(/#EXT-X-ENDLIST\n$/)
      await until(
        'the player to know of the end',
        () => page.evaluate('hls.levels[0].details.live === false').then(Boolean),
        30_000,
      )
      await seekToClock(share.startedAtMs + 30_000)
      await page.evaluate('video.playbackRate = 2, video.play()')
      await until(
        'what is behind the gap',
        async () => ((await shownClock(page)) ?? 0) > share.startedAtMs + 36_500,
        30_000,
      )
      await seekToClock(share.startedAtMs + 38_000)
      const shown = await until('a picture with its clock', async () => (await shownClock(page)) ?? undefined)
      expect(shown - share.startedAtMs - 38_000).to.be.within(-150, 1500)
      expect(await page.evaluate('problems')).to.deep.equal([])
    })
  })
})
