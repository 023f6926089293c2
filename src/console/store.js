import { createContext } from 'preact'
import { useContext, useEffect, useReducer } from 'preact/hooks'

/** @typedef {import('./api-types.ts').Session} Session */
/** @typedef {import('./api-types.ts').Clip} Clip */
/** @typedef {import('./api-types.ts').Quota} Quota */
/** @typedef {import('./token.js').Claims} Claims */

/** @typedef {{ id: number, text: string, tone: 'plain' | 'bad', action?: { label: string, run: () => void } | undefined }} Toast */

/**
 * @typedef {object} Library
 * @property {'loading' | 'ready' | 'failed'} state
 * @property {string} title what is searched for
 * @property {string | undefined} userId whose, if a backend named somebody
 * @property {string[]} ids
 * @property {number} total
 * @property {string | null} nextCursor
 */

/**
 * @typedef {object} State
 * @property {Claims} claims
 * @property {'connecting' | 'live' | 'offline' | 'refused'} connection
 * @property {string | undefined} refusal the code with which the token was refused
 * @property {'loading' | 'ready' | 'failed'} sessionsState
 * @property {ReadonlyMap<string, Session>} sessions
 * @property {ReadonlyMap<string, Clip>} clips all that are known, by id
 * @property {Library} library
 * @property {Quota | undefined} quota
 * @property {ReadonlySet<string>} deleting hidden, and deleted when nobody takes it back
 * @property {Toast[]} toasts
 */

/** @typedef {ReturnType<typeof createStore>} Store */

/** @param {State} initial */
export function createStore(initial) {
  let state = initial
  /** @type {Set<() => void>} */
  const listeners = new Set()
  return {
    get: () => state,
    /** @param {Partial<State>} change */
    set(change) {
      state = { ...state, ...change }
      for (const listener of listeners) listener()
    },
    /** @param {() => void} listener */
    subscribe(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
  }
}

/** @typedef {import('./actions.js').App} App */

export const AppContext = createContext(/** @type {App | undefined} */ (undefined))

/** @returns {App} */
export function useApp() {
  const app = useContext(AppContext)
  if (!app) throw new Error('nobody is signed in')
  return app
}

/** @returns {State} */
export function useAppState() {
  const { store } = useApp()
  const [, redraw] = useReducer((/** @type {number} */ n) => n + 1, 0)
  useEffect(() => store.subscribe(() => redraw(undefined)), [store])
  return store.get()
}
