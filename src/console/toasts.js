/*
 * Short messages at the edge of the page, which go by themselves.
 */

const SHOWN_MS = 6000

/** @param {import('./store.js').Store} store */
export function createToasts(store) {
  let lastId = 0

  /** @param {number} id */
  const hide = (id) => store.set({ toasts: store.get().toasts.filter((toast) => toast.id !== id) })

  /**
   * @param {string} text
   * @param {{ tone?: 'plain' | 'bad', action?: { label: string, run: () => void }, shownMs?: number }} [more]
   * @returns {() => void} takes it away
   */
  const show = (text, { tone = 'plain', action, shownMs = SHOWN_MS } = {}) => {
    const id = (lastId += 1)
    store.set({ toasts: [...store.get().toasts.slice(-2), { id, text, tone, action }] })
    setTimeout(() => hide(id), shownMs)
    return () => hide(id)
  }
  return { show, hide }
}
