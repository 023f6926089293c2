import type { Page } from 'playwright-core'
import { clockOf } from '../support/browser.ts'
import { until } from '../support/until.ts'

/*
 * What a visitor of the page does, again and again.
 */

export const PLAYER = '.stage video'

/** What no visitor sees, and nobody wants: errors of the page, and what its policy forbade. */
export function noteProblems(page: Page, problems: string[]): void {
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) problems.push(message.text())
  })
}

/** By a link that signs in. */
export async function openPage(page: Page, url: string, token: string): Promise<void> {
  await page.goto(`${url}/#token=${token}`)
  await page.getByRole('heading', { name: 'Live shares' }).waitFor()
}

export async function untilPicture(page: Page): Promise<number> {
  return until('the picture', async () => (await clockOf(page, PLAYER)) ?? undefined)
}

/** A point of the time line, from 0 at its beginning to 1. */
export async function onTimeline(page: Page, part: number): Promise<[number, number]> {
  const box = await page.locator('.timeline-track').boundingBox()
  if (!box) throw new Error('there is no time line')
  return [box.x + box.width * part, box.y + box.height / 2]
}

export async function pressKeys(page: Page, keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key)
}

const MOST_TABS = 60

/** On with Tab, until the focus is on this. */
export async function tabTo(page: Page, role: 'button' | 'link' | 'slider' | 'textbox', name: RegExp): Promise<void> {
  for (let n = 0; n < MOST_TABS; n += 1) {
    await page.keyboard.press('Tab')
    const isThere = await page.getByRole(role, { name }).and(page.locator(':focus')).count()
    if (isThere > 0) return
  }
  throw new Error(`Tab leads to no ${role} ${String(name)}`)
}

/** The clock in a picture that stands still: the same twice, with a frame's time between. */
export async function stillClock(page: Page, selector: string): Promise<number> {
  let before: number | null = null
  return until(`a still picture in ${selector}`, async () => {
    const isSettled = await page.evaluate(
      `(() => { const v = document.querySelector(${JSON.stringify(selector)}); return v && !v.seeking && v.readyState >= 2 })()`,
    )
    const seen = isSettled ? await clockOf(page, selector) : null
    const isStill = seen !== null && seen === before
    before = seen
    return isStill ? (seen ?? undefined) : undefined
  })
}
