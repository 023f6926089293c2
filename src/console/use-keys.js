import { useEffect, useRef } from 'preact/hooks'

/**
 * Keys of a whole view, where nobody is typing. `Enter` and Space are a button's or a
 * link's own while it has the focus.
 * @param {Record<string, (event: KeyboardEvent) => void>} keys by `KeyboardEvent.key`, letters in lower case
 */
export function useKeys(keys) {
  const latest = useRef(keys)
  latest.current = keys
  useEffect(() => {
    const press = (/** @type {KeyboardEvent} */ event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
      const target = event.target instanceof Element ? event.target : document.body
      if (target.closest('input, textarea, select, [contenteditable]')) return
      if ((event.key === ' ' || event.key === 'Enter') && target.closest('button, a, summary')) return
      const run = latest.current[event.key.length === 1 ? event.key.toLowerCase() : event.key]
      if (!run) return
      event.preventDefault()
      run(event)
    }
    document.addEventListener('keydown', press)
    return () => document.removeEventListener('keydown', press)
  }, [])
}

/** @param {Pick<import('./use-player.js').Player, 'toggle' | 'skip'>} player */
export const playerKeys = ({ toggle, skip }) => ({
  ' ': toggle,
  k: toggle,
  j: () => skip(-10),
  l: () => skip(10),
  ',': () => skip(-1 / 15),
  '.': () => skip(1 / 15),
  ArrowLeft: (/** @type {KeyboardEvent} */ event) => skip(event.shiftKey ? -5 : -1),
  ArrowRight: (/** @type {KeyboardEvent} */ event) => skip(event.shiftKey ? 5 : 1),
})

/**
 * A button that was clicked with a mouse gives the keys back to the view.
 * @param {MouseEvent} event
 */
export function giveBackKeys(event) {
  const button = event.target instanceof Element ? event.target.closest('button') : null
  if (event.detail > 0 && button instanceof HTMLElement) button.blur()
}
