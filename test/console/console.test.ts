import { expect } from 'chai'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { clockOf, openBrowser } from '../support/browser.ts'
import { until } from '../support/until.ts'
import { expectNoViolations } from './axe.ts'
import { findClip, findReadyClip, signIn, startStage, type Stage } from './stage.ts'
import { noteProblems, onTimeline, openPage, PLAYER, pressKeys, stillClock, tabTo, untilPicture } from './visit.ts'

const FRAME_MS = 1000 / 15
/** What a clip's playlist names. */
const PARTS = /\/(init|fragment)/
/** A picture shows when it was drawn: up to a frame before its own time, and 25 ms off it. */
const CLOSE_MS = FRAME_MS + 40

describe('the page, in Chromium', function () {
  this.timeout(60_000)
  let stage: Stage
  let browser: Browser | undefined
  let context: BrowserContext
  let page: Page
  let token: string
  const problems: string[] = []

  before(async function () {
    browser = await openBrowser()
    if (!browser) {
      this.skip()
      return
    }
    stage = await startStage(['alice'])
    await stage.untilKept(3)
    token = await signIn('alice')
    context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark' })
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  })
  after(async () => {
    await browser?.close()
    if (browser) await stage.stop()
  })
  beforeEach(async () => {
    page = await context.newPage()
    noteProblems(page, problems)
  })
  afterEach(async () => {
    await page.close()
    expect(problems.splice(0)).to.deep.equal([])
  })

  const open = (who = token) => openPage(page, stage.test.url, who)
  const openBuffer = async () => {
    await page.getByRole('link', { name: /Alice/ }).click()
    await untilPicture(page)
  }
  const clipOf = (title?: string) => findClip(stage, token, title)
  const readyClip = (title?: string) => findReadyClip(stage, token, title)

  it('lets nobody in without a token, says what is wrong with one, and says when one has expired', async () => {
    await page.goto(stage.test.url)
    await page.getByLabel('LiveKit access token').fill('not a token')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('This is no LiveKit access token').waitFor()
    await expectNoViolations(page, 'sign-in')

    await page.getByLabel('LiveKit access token').fill(await signIn('alice', { ttl: 2 }))
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Live shares' }).waitFor()
    await page.getByText('This token has expired. Get a fresh one').waitFor()
    await page.getByLabel('LiveKit access token').fill(token)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Live shares' }).waitFor()
  })

  it('takes the token of a link out of the address, and keeps it for this tab alone', async () => {
    await open()
    expect(page.url()).to.equal(`${stage.test.url}/#/`)
    await page.reload()
    await page.getByRole('heading', { name: 'Live shares' }).waitFor()
    expect(await page.evaluate('[localStorage.length, document.cookie]')).to.deep.equal([0, ''])
    const other = await context.newPage()
    await other.goto(stage.test.url)
    await other.getByLabel('LiveKit access token').waitFor()
    await other.close()
  })

  it('makes a clip by mouse of exactly what was seen at the marks, and takes it through its life', async () => {
    await stage.untilKept(6)
    await open()
    await page.locator('.card .poster img').waitFor()
    await expectNoViolations(page, 'live shares')
    await openBuffer()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.mouse.click(...(await onTimeline(page, 0.25)))
    const first = await stillClock(page, PLAYER)
    await page.getByRole('button', { name: 'Mark in' }).click()
    await page.mouse.click(...(await onTimeline(page, 0.6)))
    const last = await stillClock(page, PLAYER)
    await page.getByRole('button', { name: 'Mark out' }).click()
    expect(last - first).to.be.above(1000)

    await page.mouse.move(...(await onTimeline(page, 0.4)))
    const hovered = await stillClock(page, '.frame-preview video')
    expect(hovered).to.be.within(first, last)
    await expectNoViolations(page, 'a buffer')

    await page.getByLabel('Title').fill('Seen by mouse')
    await page.getByRole('button', { name: /^Keep \d/ }).click()
    await page.getByRole('link', { name: /Seen by mouse/ }).click()
    const clip = await until('the clip', () => readyClip('Seen by mouse'))
    expect(Date.parse(clip.from)).to.be.closeTo(first, CLOSE_MS)
    expect(Date.parse(clip.to)).to.be.closeTo(last, CLOSE_MS)
    await page.getByText('Everything that was asked for is in it.').waitFor()
    await until('the clip to play', async () => Number(await clockOf(page, PLAYER)) > first + FRAME_MS)
    expect(await clockOf(page, PLAYER)).to.be.below(last + CLOSE_MS)
    await expectNoViolations(page, 'a clip')

    await page.getByRole('button', { name: 'Rename' }).click()
    await page.getByLabel('Title').fill('50 % \\ renamed')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('heading', { name: '50 % \\ renamed' }).waitFor()
    await page.getByRole('button', { name: 'Copy link' }).click()
    await page.getByText('Link copied').waitFor()
    const link = String(await page.evaluate('navigator.clipboard.readText()'))
    expect((await fetch(link)).headers.get('content-type')).to.equal('video/mp4')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download' }).click(),
    ])
    expect(download.suggestedFilename()).to.match(/renamed\.mp4$/)

    await page.getByRole('link', { name: 'Library' }).first().click()
    await page.getByRole('searchbox').fill('50 %')
    await page.getByText('1 clip', { exact: true }).waitFor()
    await expectNoViolations(page, 'the library')
    await page.getByRole('searchbox').fill('50%')
    await page.getByText('No title has “50%” in it.').waitFor()
    await page.getByRole('searchbox').fill('')
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByText('No clips yet').waitFor()
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByRole('link', { name: /renamed/ }).waitFor()
    expect(await clipOf('renamed')).to.include({ id: clip.id })
    await page.getByRole('button', { name: 'Delete' }).click()
    // Who leaves does not take it back.
    await page.goto('about:blank')
    await until('it to be gone', async () => (await clipOf('renamed')) === undefined)
  })

  it('takes a clip through its life by keyboard alone', async () => {
    await page.goto(stage.test.url)
    const press = (...keys: string[]) => pressKeys(page, keys)
    await tabTo(page, 'textbox', /token/)
    await page.keyboard.insertText(token)
    await tabTo(page, 'button', /Sign in/)
    await press('Enter')
    await page.getByRole('link', { name: /Alice/ }).waitFor()
    await tabTo(page, 'link', /Alice/)
    await press('Enter')
    await untilPicture(page)
    await press('Space', 'Home', 'ArrowRight')
    const first = await stillClock(page, PLAYER)
    await press('i', 'ArrowRight', 'ArrowRight', '.')
    const last = await stillClock(page, PLAYER)
    await press('o', 'Enter')
    await page.getByText(/^Kept: /).waitFor()
    const clip = await until('the clip', () => readyClip())
    expect(Date.parse(clip.from)).to.be.closeTo(first, CLOSE_MS)
    expect(Date.parse(clip.to)).to.be.closeTo(last, CLOSE_MS)
    await tabTo(page, 'slider', /Mark in/)
    const before = await page.locator(':focus').getAttribute('aria-valuetext')
    await press('ArrowRight')
    await until('the mark', async () => (await page.locator(':focus').getAttribute('aria-valuetext')) !== before)

    await tabTo(page, 'button', /Watch/)
    await press('Enter')
    await tabTo(page, 'button', /Rename/)
    await press('Enter')
    await page.keyboard.insertText('By keyboard')
    await press('Enter')
    await page.getByRole('heading', { name: 'By keyboard' }).waitFor()
    await press('k')
    const shown = await stillClock(page, PLAYER)
    expect(shown).to.be.within(first - CLOSE_MS, last + CLOSE_MS)
    await tabTo(page, 'button', /Delete/)
    await press('Enter')
    await page.getByRole('heading', { name: 'Library' }).waitFor()
    await tabTo(page, 'button', /Undo/)
    await press('Enter')
    await page.getByRole('link', { name: /By keyboard/ }).waitFor()
  })

  it('shows a clip at once, plays it while it grows, and says what is missing and why', async () => {
    await open()
    await openBuffer()
    await page.getByRole('button', { name: '10 min' }).click()
    await page.getByLabel('Title').fill('It grows')
    await page.getByRole('button', { name: 'Keep 10:00' }).click()
    await page.getByRole('button', { name: 'Watch' }).click()
    await page.getByText('The last moment is still on its way').waitFor()
    await untilPicture(page)
    expect((await clipOf('It grows')).status).to.equal('waiting')
    await page.getByText(/: nobody shared$/).waitFor()
    await page.getByText(/^\d+:\d\d missing$/).waitFor()
    await until('it to play on', async () =>
      Boolean(await page.evaluate(`document.querySelector('video').currentTime > 3`)),
    )
  })

  it('goes on playing when its links have expired: it asks for fresh ones', async () => {
    const { test } = stage
    await open()
    await page.getByRole('link', { name: 'Library' }).first().click()
    await page.getByRole('link', { name: /It grows/ }).waitFor()
    const answers: number[] = []
    page.on('response', (response) => PARTS.test(response.url()) && answers.push(response.status()))
    // The playlist came by a good link. Two hours later its parts are asked for.
    await page.route(PARTS, (route) => {
      test.clock.offsetMs = 7_200_000
      return route.continue()
    })
    try {
      await page.getByRole('link', { name: /It grows/ }).click()
      await untilPicture(page)
      expect([answers[0], answers.at(-1)]).to.deep.equal([401, 200])
    } finally {
      test.clock.offsetMs = 0
    }
  })

  it('says that it is offline, comes back by itself, and then knows what happened meanwhile', async () => {
    await open()
    await page.getByRole('link', { name: 'Library' }).first().click()
    await page.getByRole('link', { name: /It grows/ }).click()
    await untilPicture(page)
    await context.setOffline(true)
    await page.getByText('The service cannot be reached.').waitFor()
    await stage.test.call('DELETE', `/v1/clips/${(await clipOf('It grows')).id}`, { token })
    await context.setOffline(false)
    await page.getByText('This clip is not here').waitFor()
    expect(await page.getByText('The service cannot be reached.').count()).to.equal(0)
  })

  it('lets a member of the room watch what another shares, and keep nothing of it', async () => {
    await open(await signIn('bob'))
    await openBuffer()
    await page.getByText('You can watch. Only Alice and who moderates this room').waitFor()
    expect(await page.getByRole('button', { name: /^Keep/ }).count()).to.equal(0)
    await page.getByRole('link', { name: 'Library' }).first().click()
    await page.getByText('No clips yet').waitFor()
  })
})
