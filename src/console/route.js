import { useEffect, useState } from 'preact/hooks'

/** @typedef {{ view: 'live' } | { view: 'library' } | { view: 'session' | 'clip', id: string }} Route */

/** @param {string} hash @returns {Route} */
export function parseRoute(hash) {
  const [, view, id] = hash.replace(/^#/, '').split('/')
  if ((view === 'session' || view === 'clip') && id) return { view, id }
  return { view: view === 'library' ? 'library' : 'live' }
}

/** @param {Route} route */
export const hrefOf = (route) => `#/${'id' in route ? `${route.view}/${route.id}` : route.view}`

/** Where the page is, by the part of the address that no server sees. */
export function useRoute() {
  const [route, setRoute] = useState(() => parseRoute(window.location.hash))
  useEffect(() => {
    const follow = () => setRoute(parseRoute(window.location.hash))
    window.addEventListener('hashchange', follow)
    return () => window.removeEventListener('hashchange', follow)
  }, [])
  return route
}
