import { clockTime } from './format.js'
import { strings } from './strings.js'
import { html } from './ui.js'

/** @typedef {import('./ranges.js').Range} Range */

/** @param {Range} part @param {Range} whole */
export function place({ from, to }, whole) {
  const length = Math.max(1, whole.to - whole.from)
  return { left: `${((from - whole.from) / length) * 100}%`, width: `${((to - from) / length) * 100}%` }
}

/** What is there of a stretch of time. @param {{ whole: Range, covered: Range[], label?: string }} props */
export function CoverageBar({ whole, covered, label }) {
  const said = label ?? strings.health.bar(clockTime(whole.from), clockTime(whole.to))
  return html`<div class="coverage-bar" role="img" aria-label=${said}>
    ${covered.map((range) => html`<i key=${range.from} style=${place(range, whole)}></i>`)}
  </div>`
}
