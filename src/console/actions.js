import { createApi, OfflineError } from './api.js'
import { createDeletions } from './deletions.js'
import { messageOf } from './error-message.js'
import { createFeed } from './feed.js'
import { createLibrary } from './library-data.js'
import { createStore } from './store.js'
import { createToasts } from './toasts.js'

/** @typedef {import('./store.js').Clip} Clip */
/** @typedef {import('./store.js').Session} Session */
/** @typedef {import('./store.js').Claims} Claims */
/** @typedef {ReturnType<typeof startApp>} App */

/**
 * What the page knows and can do while somebody is signed in.
 * @param {string} token
 * @param {Claims} claims
 */
export function startApp(token, claims) {
  const store = createStore({
    claims,
    connection: 'connecting',
    refusal: undefined,
    sessionsState: 'loading',
    sessions: new Map(),
    clips: new Map(),
    library: { state: 'loading', title: '', userId: undefined, ids: [], total: 0, nextCursor: null },
    quota: undefined,
    deleting: new Set(),
    toasts: [],
  })
  const api = createApi(token, ({ code }) => store.set({ connection: 'refused', refusal: code }))
  const toasts = createToasts(store)
  const library = createLibrary(api, store)
  const deletions = createDeletions(api, store, { ...toasts, forgetClip: library.forget })
  const feed = createFeed(api, store, library)

  /** Says what went wrong, in a toast. @param {unknown} error */
  const complain = (error) => toasts.show(messageOf(error), { tone: 'bad' })

  return {
    store,
    api,
    ...toasts,
    ...deletions,
    ...library,
    loadSessions: feed.loadSessions,
    complain,
    /**
     * Makes a clip. Undefined when that was not to be, which was then said.
     * @param {Session} session
     * @param {{ lastSeconds: number } | { from: string, to: string }} range
     * @param {string} title
     */
    async keep(session, range, title) {
      const body = { ...range, ...(title === '' ? {} : { title }) }
      const headers = { prefer: 'respond-async', 'idempotency-key': randomKey() }
      const post = () => api.call('POST', `v1/sessions/${session.id}/clips`, { body, headers })
      try {
        // The key makes it one press, however often it is sent.
        const clip = /** @type {Clip} */ (
          await post().catch((error) => {
            if (error instanceof OfflineError) return post()
            throw error
          })
        )
        library.learn(clip)
        return clip
      } catch (error) {
        complain(error)
        return undefined
      }
    },
    /** @param {Clip} clip @param {string} title */
    async rename(clip, title) {
      try {
        library.learn(await api.call('PATCH', `v1/clips/${clip.id}`, { body: { title: title === '' ? null : title } }))
      } catch (error) {
        complain(error)
      }
    },
    stop() {
      feed.stop()
      deletions.endDeletions()
    },
  }
}

/** `crypto.randomUUID` is there only with HTTPS. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-')
}
