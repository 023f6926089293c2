import pg from 'pg'
import type { Log } from '../log.ts'

/** The channels on which instances tell each other what changed. Payload: the id named; of `event_added` none. */
export type Channel = 'segment_landed' | 'clip_changed' | 'session_changed' | 'event_added'
export const CHANNELS: readonly Channel[] = ['segment_landed', 'clip_changed', 'session_changed', 'event_added']

export interface Listener {
  /** Calls back for each notification with this payload, and once after every reconnect, when some may have been missed. */
  on(channel: Channel, payload: string, callback: () => void): () => void
  /** Calls back with the payload of every notification on this channel. Some are missed while the database is away. */
  onAny(channel: Channel, callback: (payload: string) => void): () => void
  stop(): Promise<void>
}

const RECONNECT_MS = 500

/** One connection that listens for everybody in this process, and comes back when the database does. */
export async function startListener(connectionString: string, log: Log): Promise<Listener> {
  const callbacks = new Map<string, Set<() => void>>()
  const any = new Map<string, Set<(payload: string) => void>>()
  const wake = (key: string) => callbacks.get(key)?.forEach((callback) => callback())
  let client: pg.Client | undefined
  let retry: NodeJS.Timeout | undefined
  let stopped = false

  const connect = async (): Promise<void> => {
    const next = new pg.Client({ connectionString, keepAlive: true })
    next.on('notification', ({ channel, payload = '' }) => {
      wake(`${channel}:${payload}`)
      any.get(channel)?.forEach((callback) => callback(payload))
    })
    next.on('error', () => undefined)
    next.on('end', () => {
      client = undefined
      if (!stopped) reconnectLater()
    })
    await next.connect()
    await next.query(CHANNELS.map((channel) => `listen ${channel}`).join(';'))
    client = next
    for (const key of callbacks.keys()) wake(key)
  }
  const reconnectLater = (): void => {
    clearTimeout(retry)
    retry = setTimeout(() => {
      connect().catch(() => {
        log.debug('listener could not reconnect')
        if (!stopped) reconnectLater()
      })
    }, RECONNECT_MS)
  }

  await connect()
  return {
    on(channel, payload, callback) {
      const key = `${channel}:${payload}`
      const set = callbacks.get(key) ?? new Set()
      callbacks.set(key, set.add(callback))
      return () => {
        set.delete(callback)
        if (set.size === 0) callbacks.delete(key)
      }
    },
    onAny(channel, callback) {
      const set = any.get(channel) ?? new Set()
      any.set(channel, set.add(callback))
      return () => set.delete(callback)
    },
    async stop() {
      stopped = true
      clearTimeout(retry)
      await client?.end()
    },
  }
}
