import { messageOf } from './error-message.js'
import { clipName, strings } from './strings.js'

/*
 * Deleting with a way back: a clip is hidden at once, and deleted when its time to be taken
 * back is over or the page goes.
 */

const UNDO_MS = 7000

/** @typedef {import('./store.js').Clip} Clip */

/**
 * @param {import('./api.js').Api} api
 * @param {import('./store.js').Store} store
 * @param {Pick<ReturnType<typeof import('./toasts.js').createToasts>, 'show'> & { forgetClip: (id: string) => void }} page
 */
export function createDeletions(api, store, page) {
  /** @type {Map<string, { timer: ReturnType<typeof setTimeout>, hideToast: () => void }>} */
  const waiting = new Map()

  /** @param {string} id @param {boolean} isHidden */
  const setHidden = (id, isHidden) => {
    const deleting = new Set(store.get().deleting)
    if (isHidden) deleting.add(id)
    else deleting.delete(id)
    store.set({ deleting })
  }
  /** @param {string} id */
  const settle = (id) => {
    const one = waiting.get(id)
    clearTimeout(one?.timer)
    one?.hideToast()
    waiting.delete(id)
  }
  /** @param {string} id @param {boolean} [keepalive] */
  const send = async (id, keepalive = false) => {
    settle(id)
    try {
      await api.send('DELETE', `v1/clips/${id}`, { keepalive })
      page.forgetClip(id)
    } catch (error) {
      page.show(messageOf(error), { tone: 'bad' })
    }
    setHidden(id, false)
  }
  const deleteNow = () => {
    for (const id of waiting.keys()) void send(id, true)
  }
  window.addEventListener('pagehide', deleteNow)

  return {
    /** What waits is deleted now; nothing comes after. */
    endDeletions() {
      window.removeEventListener('pagehide', deleteNow)
      deleteNow()
    },
    /** @param {Clip} clip */
    remove(clip) {
      const { id } = clip
      setHidden(id, true)
      const undo = () => {
        settle(id)
        setHidden(id, false)
      }
      const hideToast = page.show(strings.clip.deleted(clipName(clip)), {
        action: { label: strings.clip.undo, run: undo },
        shownMs: UNDO_MS,
      })
      waiting.set(id, { timer: setTimeout(() => void send(id), UNDO_MS), hideToast })
    },
  }
}
