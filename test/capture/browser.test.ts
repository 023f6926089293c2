import { expect } from 'chai'
import type { Browser } from 'playwright-core'
import { hearBeeps, openBrowser, openPlayer, playToEnd, seekTo, shownClock } from '../support/browser.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

const FRAME_MS = 1000 / 15

describe('a clip in Chromium', () => {
  let share: RecordedShare
  let browser: Browser | undefined
  let links: { file: string; playlist: string }
  let fromMs: number
  let seconds: number

  before(async function () {
    this.timeout(60_000)
    browser = await openBrowser()
    if (!browser) {
      this.skip()
      return
    }
    const token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 12 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
      return body.coverage.coveredSeconds > 20
    })
    share.setClock(share.startedAtMs + 60_000)
    const from = new Date(share.startedAtMs + 5_730)
    const body = { from, to: new Date(from.getTime() + 8_000) }
    const clip = await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body })
    links = clip.body.links
    fromMs = Date.parse(clip.body.from)
    seconds = clip.body.durationSeconds
  })
  after(async () => {
    await browser?.close()
    if (browser) await share.stop()
  })

  for (const kind of ['file', 'playlist'] as const)
    it(`plays as a ${kind}: begins with the asked-for picture, seeks to the right one, and ends when it says`, async function () {
      this.timeout(60_000)
      if (!browser) return
      const page = await openPlayer(browser, share.url, links[kind])
      expect(Number(await page.evaluate('video.duration'))).to.be.closeTo(seconds, 0.1)
      // A frame shows the clock of when it was drawn: up to a frame ago, and 10 to 25 ms late.
      const error = async (at: number) => Number(await shownClock(page)) - (fromMs + at * 1000)
      expect(await error(0), 'first picture').to.be.within(-FRAME_MS - 30, 30)
      for (const at of [1, 3.5, 6.25]) {
        await seekTo(page, at)
        expect(await error(at), `at ${at} s`).to.be.within(-FRAME_MS - 30, FRAME_MS)
      }
      await seekTo(page, 5)
      expect(await playToEnd(page)).to.be.closeTo(seconds, 0.1)
      await page.close()
    })

  it('sounds, as a file and as a playlist, when it beeped: to 20 ms', async function () {
    this.timeout(60_000)
    if (!browser) return
    // The recorded sound is 42 ms behind the session clock, as it came from the publisher.
    const recordedLagMs = 42
    const chromium = browser
    const hear = async (link: string) => {
      const page = await openPlayer(chromium, share.url, link)
      const beeps = await hearBeeps(page, 1.8)
      await page.close()
      return beeps.filter((at) => at > 0.1)
    }
    const heard = await Promise.all([hear(links.file), hear(links.playlist)])
    for (const beeps of heard) {
      expect(beeps).to.have.length(2)
      for (const at of beeps) {
        const wallMs = fromMs + at * 1000 - recordedLagMs
        expect(wallMs - Math.round(wallMs / 1000) * 1000, `at ${at} s`).to.be.within(-20, 20)
      }
    }
  })
})
