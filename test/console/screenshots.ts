import { mkdir } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { openBrowser } from '../support/browser.ts'
import { startTestPostgres, stopTestPostgres } from '../support/database.ts'
import { until } from '../support/until.ts'
import { ROOM, signIn, startStage, type Stage } from './stage.ts'
import { onTimeline, openPage, PLAYER, pressKeys, stillClock, untilPicture } from './visit.ts'

/** `npm run screenshots`: every view of the page, as pictures in `docs/screenshots/`. */

const FOLDER = new URL('../../docs/screenshots/', import.meta.url).pathname
const KEPT_SECONDS = 80
const DESKTOP = { width: 1280, height: 800 }

const LOOKS: Record<string, BrowserContextOptions> = {
  dark: { colorScheme: 'dark', viewport: DESKTOP },
  light: { colorScheme: 'light', viewport: DESKTOP },
  phone: { colorScheme: 'dark', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true },
}

await startTestPostgres()
const browser = await openBrowser()
if (browser) {
  const stage = await startStage(['alice', 'bob', 'carol'], { REPLAY_QUOTA_BYTES: '2000000' })
  try {
    await mkdir(FOLDER, { recursive: true })
    await fill(stage)
    for (const [look, options] of Object.entries(LOOKS)) await take(stage, browser, look, options)
  } finally {
    await browser.close()
    await stage.stop()
  }
}
await stopTestPostgres()

/** A minute of shares, one with a gap in it, and some clips. */
async function fill({ simulator, test, tracks, sessionIdOf, untilKept }: Stage): Promise<void> {
  await untilKept(KEPT_SECONDS / 2)
  simulator.unpublish(ROOM, 'bob', tracks.get('bob') ?? '')
  await pause(6000)
  simulator.publishShare(ROOM, 'bob')
  await untilKept(KEPT_SECONDS)
  const token = await signIn('mona', { isAdmin: true })
  const keep = async (who: string, title: string, secondsAgo: number, seconds: number) => {
    const from = Date.now() - secondsAgo * 1000
    const body = { title, from: new Date(from), to: new Date(from + seconds * 1000) }
    await test.call('POST', `/v1/sessions/${await sessionIdOf(who)}/clips`, { token, body })
  }
  await keep('alice', 'The build turns green', 70, 24)
  await keep('bob', 'Shared again after a pause', 60, 45)
  await keep('carol', 'A question from the back row', 40, 30)
  await keep('alice', 'Where the login fails', 30, 18)
}

async function take(stage: Stage, where: Browser, look: string, options: BrowserContextOptions): Promise<void> {
  const { url } = stage.test
  const page = await (await where.newContext({ ...options, locale: 'en-GB' })).newPage()
  const shoot = (view: string) => page.screenshot({ path: `${FOLDER}${view}-${look}.png` })
  await page.goto(url)
  await page.getByRole('button', { name: 'Sign in' }).waitFor()
  await shoot('sign-in')
  await openPage(page, url, await signIn('mona', { isAdmin: true }))
  await untilLoaded(page)
  await shoot('live')
  await page.getByRole('link', { name: /Alice/ }).click()
  await untilPicture(page)
  await mark(page)
  await shoot('buffer')
  await page.goto(`${url}/#/library`)
  await untilLoaded(page)
  await shoot('library')
  await page.getByRole('link', { name: /after a pause/ }).click()
  await untilPicture(page)
  await pressKeys(page, ['k', 'Home', 'l', 'ArrowRight'])
  await stillClock(page, PLAYER)
  await shoot('clip')
  await page.context().close()
}

/** A moment some time ago, marked and named, with the mouse over another. */
async function mark(page: Page): Promise<void> {
  await page.keyboard.press('k')
  await page.mouse.click(...(await onTimeline(page, 0.62)))
  await stillClock(page, PLAYER)
  await page.keyboard.press('o')
  await page.mouse.click(...(await onTimeline(page, 0.4)))
  await stillClock(page, PLAYER)
  await page.keyboard.press('i')
  await page.getByLabel('Title').fill('The red card')
  await page.getByLabel('Title').blur()
  await page.mouse.move(...(await onTimeline(page, 0.52)))
  await stillClock(page, '.frame-preview video')
}

async function untilLoaded(page: Page): Promise<void> {
  await page.locator('.card img').first().waitFor()
  const areThere = `[...document.querySelectorAll('.card img')].every((image) => image.complete && image.naturalWidth > 0)`
  await until('the pictures', async () => Boolean(await page.evaluate(areThere)))
}
