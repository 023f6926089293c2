import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { expect } from 'chai'
import type { Page } from 'playwright-core'

interface Violation {
  id: string
  nodes: { html: string; failureSummary?: string }[]
}

const LOOKS = [
  { colorScheme: 'dark', width: 1280, height: 800 },
  { colorScheme: 'light', width: 1280, height: 800 },
  { colorScheme: 'light', width: 390, height: 844 },
] as const

/** What axe finds wrong with a view: in the dark, in the light, and on a phone. It must be nothing. */
export async function expectNoViolations(page: Page, view: string): Promise<void> {
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'))
  for (const { colorScheme, width, height } of LOOKS) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.setViewportSize({ width, height })
    const run = `axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)`
    const violations: Violation[] = await page.evaluate(run)
    const said = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map((node) => node.failureSummary ?? node.html).join()}`,
    )
    expect(said, `${view}, ${colorScheme}, ${width} px wide`).to.deep.equal([])
    const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
    expect(overflow, `${view} is wider than ${width} px`).to.equal(0)
  }
  const [{ colorScheme, width, height }] = LOOKS
  await page.emulateMedia({ colorScheme })
  await page.setViewportSize({ width, height })
}
