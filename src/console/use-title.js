import { useEffect } from 'preact/hooks'
import { strings } from './strings.js'

/** What the tab is called. @param {string} view */
export function useTitle(view) {
  useEffect(() => {
    document.title = `${view} · ${strings.name}`
  }, [view])
}
