import { isLive } from './health.js'
import { followEvents } from './server-events.js'

/*
 * Keeps what the page knows as it is: by the stream of events, and by asking again for what
 * changes without an event, which is how far each buffer reaches.
 */

const AGAIN_MS = 3000
/** Of so many as often as that; of more, less often. */
const FEW = 20
const EXPIRY_MS = 1000
const QUOTA_AFTER_MS = 400

/** @typedef {import('./store.js').Session} Session */

/**
 * @param {import('./api.js').Api} api
 * @param {import('./store.js').Store} store
 * @param {ReturnType<typeof import('./library-data.js').createLibrary>} library
 */
export function createFeed(api, store, library) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let quotaTimer

  /** @param {Session[]} sessions */
  const setSessions = (sessions) =>
    store.set({ sessions: new Map(sessions.map((session) => [session.id, session])), sessionsState: 'ready' })

  const loadSessions = async () => {
    try {
      const { sessions } = await api.call('GET', 'v1/sessions')
      setSessions(sessions)
    } catch {
      if (store.get().sessionsState === 'loading') store.set({ sessionsState: 'failed' })
    }
  }
  const loadAll = () => Promise.all([loadSessions(), library.loadLibrary(), library.loadQuota()])

  /** @param {import('./server-events.js').Message} message */
  const onMessage = ({ event, data }) => {
    if (event === 'hello' || event === 'reset') {
      void loadAll()
      return
    }
    /** @type {import('./api-types.ts').ReplayEvent} */
    const told = JSON.parse(data)
    if (told.clipId === null) onSession(told)
    else onClip(told.clipId, told)
  }
  /** @param {import('./api-types.ts').ReplayEvent} told */
  const onSession = ({ event, session, sessionId }) => {
    const sessions = new Map(store.get().sessions)
    if (event === 'session_purged') sessions.delete(sessionId)
    else if (session) sessions.set(sessionId, session)
    store.set({ sessions })
  }
  /** @param {string} id @param {import('./api-types.ts').ReplayEvent} told */
  const onClip = (id, { clip }) => {
    if (clip) library.learn(clip)
    else library.forget(id)
    clearTimeout(quotaTimer)
    quotaTimer = setTimeout(() => void library.loadQuota(), QUOTA_AFTER_MS)
  }
  const stopEvents = followEvents({
    api,
    onMessage,
    onState: (isOpen) => {
      if (store.get().connection !== 'refused') store.set({ connection: isOpen ? 'live' : 'offline' })
    },
  })
  const expiry = setInterval(() => {
    const { claims, connection } = store.get()
    const isOver = claims.expiresAtMs > 0 && api.now() >= claims.expiresAtMs
    if (isOver && connection !== 'refused') store.set({ connection: 'refused', refusal: 'token_expired' })
  }, EXPIRY_MS)
  let ticks = 0
  const again = setInterval(() => {
    const { sessions, connection } = store.get()
    ticks += 1
    if (ticks % Math.ceil(sessions.size / FEW) !== 0) return
    const isAnyLive = [...sessions.values()].some(isLive)
    if (isAnyLive && connection === 'live' && !document.hidden) void loadSessions()
  }, AGAIN_MS)

  return {
    loadSessions,
    stop() {
      stopEvents()
      clearInterval(again)
      clearInterval(expiry)
      clearTimeout(quotaTimer)
    },
  }
}
