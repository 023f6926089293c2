import type { Response } from 'express'
import { systemNow } from '../clock.ts'

/** One client's server-sent events (WHATWG HTML, 9.2). */
export interface EventStream {
  send(event: string, id: number | undefined, data: unknown): void
  end: () => void
  isClosed(): boolean
  onClose(callback: () => void): void
}

const HEARTBEAT_MS = 15_000
/** A client that takes nothing for so long that this much waits for it is cut off, and comes back with Last-Event-ID. */
const LARGEST_BACKLOG = 1024 * 1024
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Ends when the caller's token does: with a new one the client resumes. */
export function openEventStream(res: Response, expiresAt: Date): EventStream {
  let isClosed = false
  const end = () => {
    if (!isClosed) res.end()
  }
  res.status(200).set({
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    // nginx would collect what is to be seen at once.
    'X-Accel-Buffering': 'no',
  })
  res.flushHeaders()
  res.write('retry: 2000\n\n')
  const heartbeat = setInterval(() => res.write(': still here\n\n'), HEARTBEAT_MS)
  const expiry = setTimeout(end, Math.min(LONGEST_TIMER_MS, Math.max(0, expiresAt.getTime() - systemNow().getTime())))
  res.once('close', () => {
    isClosed = true
    clearInterval(heartbeat)
    clearTimeout(expiry)
  })
  return {
    send(event, id, data) {
      if (isClosed || res.writableEnded) return
      const idLine = id === undefined ? '' : `id: ${id}\n`
      res.write(`${idLine}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
      if (res.writableLength > LARGEST_BACKLOG) res.destroy()
    },
    end,
    isClosed: () => isClosed || res.writableEnded,
    onClose: (callback) => void res.once('close', callback),
  }
}
