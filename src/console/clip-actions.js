import { useRef, useState } from 'preact/hooks'
import { here } from './api.js'
import { useApp } from './store.js'
import { strings } from './strings.js'
import { html, Icon } from './ui.js'

/** @typedef {import('./store.js').Clip} Clip */

const say = strings.clip

/** What can be done with a clip. @param {{ clip: Clip, isSmall?: boolean }} props */
export function ClipActions({ clip, isSmall = false }) {
  const app = useApp()
  const [isNaming, setIsNaming] = useState(false)
  const [byHand, setByHand] = useState(/** @type {string | undefined} */ (undefined))
  const share = async () => {
    try {
      await app.loadClip(clip.id)
      const { file } = (app.store.get().clips.get(clip.id) ?? clip).links
      if (await handOver(file)) return
      if (await copy(file)) app.show(say.copied)
      else setByHand(file)
    } catch (error) {
      app.complain(error)
    }
  }
  if (isNaming) return html`<${NameForm} clip=${clip} onDone=${() => setIsNaming(false)} />`
  const isReady = clip.status === 'ready'
  const actions = [
    { icon: 'pencil', label: say.rename, run: () => setIsNaming(true) },
    ...(isReady ? [{ icon: 'link', label: say.share, run: () => void share() }] : []),
    ...(isReady ? [{ icon: 'download', label: say.download, href: `${here(clip.links.file)}&download=1` }] : []),
    { icon: 'trash', label: say.remove, run: () => app.remove(clip) },
  ]
  return html`<div class=${isSmall ? 'actions actions-small' : 'actions'}>
    ${actions.map(({ icon, label, run, href }) => {
      const inside = html`<${Icon} name=${icon} /><span>${label}</span>`
      return href === undefined
        ? html`<button type="button" key=${icon} data-icon=${icon} class="button" title=${label} onClick=${run}>
            ${inside}
          </button>`
        : html`<a key=${icon} class="button" title=${label} href=${href} download>${inside}</a>`
    })}
    ${
      byHand !== undefined &&
      html`<label class="by-hand">${say.copyByHand}<input readonly value=${byHand} onFocus=${selectAll} /></label>`
    }
  </div>`
}

/** @param {FocusEvent} event */
const selectAll = (event) => /** @type {HTMLInputElement} */ (event.currentTarget).select()

/** By what a phone gives links on with. False where there is no such thing. @param {string} url */
async function handOver(url) {
  if (!('share' in navigator) || !matchMedia('(pointer: coarse)').matches) return false
  // Who closes it again does not want it copied instead.
  await navigator.share({ url }).catch(() => undefined)
  return true
}

/** False where a page may not, which is so without HTTPS. @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}

/** @param {{ clip: Clip, onDone: () => void }} props */
function NameForm({ clip, onDone }) {
  const app = useApp()
  const input = useRef(/** @type {HTMLInputElement | null} */ (null))
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault()
    const title = input.current?.value.trim() ?? ''
    onDone()
    if (title !== (clip.title ?? '')) void app.rename(clip, title)
  }
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'Escape') onDone()
  }
  const focus = (/** @type {HTMLInputElement | null} */ element) => {
    if (element && input.current !== element) element.select()
    input.current = element
  }
  return html`<form class="name-form" onSubmit=${submit} onKeyDown=${onKeyDown}>
    <label for="title-${clip.id}">${say.titleLabel}</label>
    <input id="title-${clip.id}" ref=${focus} maxlength="200" autocomplete="off" defaultValue=${clip.title ?? ''} />
    <button type="submit" class="button button-main">${say.save}</button>
    <button type="button" class="button" onClick=${onDone}>${say.cancel}</button>
  </form>`
}
