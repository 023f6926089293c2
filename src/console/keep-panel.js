import { useRef } from 'preact/hooks'
import { clockTime } from './format.js'
import { overlapMs } from './ranges.js'
import { PRESETS } from './selection.js'
import { strings } from './strings.js'
import { html, Icon } from './ui.js'

/** @typedef {import('./selection.js').Selection} Selection */
/** @typedef {import('./ranges.js').Range} Range */

const say = strings.buffer

/** Less than this is how far what lands is behind, and not missing. */
const LANDING_MS = 8000

/**
 * What is to be kept, and the one button that keeps it.
 * @param {{ selection: Selection, range: Range, covered: Range[], isKeeping: boolean,
 *   isLive: boolean, onSelect: (selection: Selection) => void, onMarkIn: () => void, onMarkOut: () => void,
 *   onKeep: (title: string) => Promise<unknown> }} props
 */
export function KeepPanel({ selection, range, covered, isKeeping, isLive, onSelect, onMarkIn, onMarkOut, onKeep }) {
  const title = useRef(/** @type {HTMLInputElement | null} */ (null))
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault()
    const clip = await onKeep(title.current?.value.trim() ?? '')
    if (clip && title.current) title.current.value = ''
  }
  const toNow = selection.kind === 'last' || selection.to === undefined
  const wantedMs = selection.kind === 'last' ? selection.seconds * 1000 : range.to - range.from
  return html`<form class="panel keep" onSubmit=${submit}>
    <h2>${say.keepHeading}</h2>
    <div class="presets" role="group" aria-label=${say.presets}>
      ${PRESETS.map(
        (seconds) =>
          html`<button
            type="button"
            key=${seconds}
            class="chip"
            aria-pressed=${selection.kind === 'last' && selection.seconds === seconds}
            onClick=${() => onSelect({ kind: 'last', seconds })}
          >
            ${say.preset(seconds)}
          </button>`,
      )}
    </div>
    <div class="marks">
      <button type="button" class="mark" title="I" onClick=${onMarkIn}>
        <span><${Icon} name="in" />${say.markIn}</span><b>${clockTime(range.from)}</b>
      </button>
      <button type="button" class="mark" title="O" onClick=${onMarkOut}>
        <span>${say.markOut}<${Icon} name="out" /></span
        ><b>${toNow ? (isLive ? say.toNow : say.toEnd) : clockTime(range.to)}</b>
      </button>
    </div>
    <label for="clip-title">${say.title} <span>${say.titleHint}</span></label>
    <input id="clip-title" ref=${title} maxlength="200" autocomplete="off" />
    <p class="hint" role="status">${missingOf(wantedMs, range, covered, toNow)}</p>
    <button type="submit" class="button button-keep" disabled=${isKeeping}>
      ${isKeeping ? say.keeping : say.keep(wantedMs)}
    </button>
  </form>`
}

/** @param {number} wantedMs @param {Range} range @param {Range[]} covered @param {boolean} toNow */
function missingOf(wantedMs, range, covered, toNow) {
  const missingMs = wantedMs - overlapMs(range, covered)
  if (missingMs >= wantedMs) return toNow ? '' : say.nothing
  return missingMs > (toNow ? LANDING_MS : 500) ? say.missing(missingMs) : ''
}

/** Every key of the view. */
export function Keys() {
  return html`<details class="keys">
    <summary>${say.keys}</summary>
    <dl>
      ${say.keyList.map(
        ([key, what]) =>
          html`<div key=${key}>
            <dt>${key}</dt>
            <dd>${what}</dd>
          </div>`,
      )}
    </dl>
  </details>`
}
