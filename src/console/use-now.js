import { useEffect, useState } from 'preact/hooks'
import { useApp } from './store.js'

/** The service's clock, some times a second. @param {number} everyMs */
export function useNow(everyMs) {
  const { api } = useApp()
  const [now, setNow] = useState(api.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(api.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}
