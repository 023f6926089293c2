import { here } from './api.js'
import { landedPart, statusOf } from './clip-status.js'
import { day, length, minuteTime } from './format.js'
import { hrefOf } from './route.js'
import { useAppState } from './store.js'
import { clipName, strings } from './strings.js'
import { html } from './ui.js'

/** @typedef {import('./store.js').Clip} Clip */

/** Clips in a narrow place, newest first. @param {{ clips: Clip[] }} props */
export function ClipList({ clips }) {
  const { deleting } = useAppState()
  const shown = clips.filter(({ id }) => !deleting.has(id)).toSorted((a, b) => (a.id < b.id ? 1 : -1))
  return html`<ul class="clip-list">
    ${shown.map(
      (clip) =>
        html`<li key=${clip.id}>
          <a href=${hrefOf({ view: 'clip', id: clip.id })}>
            <${ClipPoster} clip=${clip} />
            <span class="clip-list-text">
              <b>${clipName(clip)}</b>
              <${ClipBadge} clip=${clip} />
            </span>
          </a>
        </li>`,
    )}
  </ul>`
}

/** @param {{ clip: Clip }} props */
export function ClipPoster({ clip }) {
  // While it waits there may be no picture yet: the address changes when there is.
  const src = `${here(clip.links.poster)}&of=${clip.status}`
  return html`<span class="poster">
    ${clip.status !== 'failed' && html`<img src=${src} alt="" loading="lazy" />`}
    <span class="length">${length(lengthOf(clip))}</span>
  </span>`
}

/** @param {Clip} clip */
const lengthOf = ({ status, durationSeconds, from, to }) =>
  status === 'waiting' ? Date.parse(to) - Date.parse(from) : durationSeconds * 1000

/** @param {{ clip: Clip }} props */
export function ClipBadge({ clip }) {
  const { sessions } = useAppState()
  const { tone, label } = statusOf(clip)
  return html`<span class="badge" data-tone=${tone}
    >${label}
    ${clip.status === 'waiting' && html`<progress aria-label=${strings.clip.making} value=${landedPart(clip, sessions.get(clip.sessionId))}></progress>`}
  </span>`
}

/** When it was, shortly. @param {Clip} clip */
export const whenOf = ({ from }) => `${day(Date.parse(from))}, ${minuteTime(Date.parse(from))}`
