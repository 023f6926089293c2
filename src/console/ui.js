import htm from 'htm'
import { h } from 'preact'

/** @type {(strings: TemplateStringsArray, ...values: unknown[]) => import('preact').VNode} */
export const html = /** @type {any} */ (htm.bind(/** @type {any} */ (h)))

/** Of 24 by 24, drawn in lines. @type {Record<string, string>} */
const ICONS = {
  play: 'M8 5.5v13l10.5-6.5z',
  pause: 'M8 5v14M16 5v14',
  sound: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11',
  muted: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5',
  full: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  back: 'M14.5 5.5L8 12l6.5 6.5',
  search: 'M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.5 15.5L20 20',
  link: 'M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1.2 1.2M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1.2-1.2',
  download: 'M12 4v11M7 10.5l5 5 5-5M5 20h14',
  trash: 'M5 7h14M10 7V4.5h4V7M7 7l1 12.5h8L17 7M10.5 11v5M13.5 11v5',
  pencil: 'M5 19l1-4L16 5l3 3L9 18zM14 7l3 3',
  in: 'M15 5H8v14h7',
  out: 'M9 5h7v14H9',
  screen: 'M3.5 5h17v11h-17zM9 20h6M12 16v4',
  film: 'M4 5h16v14H4zM8 5v14M16 5v14M4 9.5h4M4 14.5h4M16 9.5h4M16 14.5h4',
  close: 'M6 6l12 12M18 6L6 18',
}

/** Says nothing: what it stands beside, or its button's label, does. @param {{ name: string, filled?: boolean }} props */
export function Icon({ name, filled = false }) {
  return html`<svg class=${filled ? 'icon icon-filled' : 'icon'} viewBox="0 0 24 24" aria-hidden="true">
    <path d=${ICONS[name]} />
  </svg>`
}

/**
 * A button that shows a sign alone.
 * @param {{ icon: string, label: string, onClick: () => void, filled?: boolean, shortcut?: string }} props
 */
export function IconButton({ icon, label, onClick, filled = false, shortcut }) {
  const title = shortcut === undefined ? label : `${label} (${shortcut})`
  return html`<button type="button" class="icon-button" aria-label=${label} title=${title} onClick=${onClick}>
    <${Icon} name=${icon} filled=${filled} />
  </button>`
}

/** @param {{ title: string, text: string, icon: string, children?: unknown, tone?: string }} props */
export function Notice({ title, text, icon, children, tone = 'plain' }) {
  return html`<div class="notice" data-tone=${tone} role=${tone === 'bad' ? 'alert' : undefined}>
    <${Icon} name=${icon} />
    <h2>${title}</h2>
    <p>${text}</p>
    ${children}
  </div>`
}
