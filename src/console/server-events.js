import { ApiError, isRefusal } from './api.js'

/*
 * The stream of events, by fetch: an EventSource cannot send who is calling. It comes back
 * by itself, and goes on where it was.
 */

/** The service sends something every 15 s: a stream that says nothing for longer is dead. */
const SILENCE_MS = 40_000
const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 15_000]

/** @typedef {{ event: string, id: string | undefined, data: string }} Message */

/**
 * @param {object} parts
 * @param {import('./api.js').Api} parts.api
 * @param {(message: Message) => void} parts.onMessage
 * @param {(isLive: boolean) => void} parts.onState
 * @returns {() => void} ends it
 */
export function followEvents({ api, onMessage, onState }) {
  const ended = new AbortController()
  /** @type {string | undefined} */
  let lastId
  let failures = 0

  const listen = async () => {
    const quiet = createQuietTimer(ended.signal)
    try {
      const headers = lastId === undefined ? {} : { 'last-event-id': lastId }
      const response = await api.send('GET', 'v1/events', { headers, signal: quiet.signal })
      onState(true)
      failures = 0
      for await (const message of readMessages(response.body, quiet.heard)) {
        lastId = message.id ?? lastId
        onMessage(message)
      }
    } finally {
      quiet.stop()
    }
  }
  const run = async () => {
    while (!ended.signal.aborted) {
      try {
        await listen()
      } catch (error) {
        if (ended.signal.aborted) return
        if (error instanceof ApiError && isRefusal(error)) return
      }
      onState(false)
      await pause(PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)] ?? 0, ended.signal)
      failures += 1
    }
  }
  void run()
  return () => ended.abort()
}

/** @param {AbortSignal} ended */
function createQuietTimer(ended) {
  const controller = new AbortController()
  const abort = () => controller.abort()
  let timer = setTimeout(abort, SILENCE_MS)
  // What is said to be gone is not waited for.
  window.addEventListener('offline', abort)
  ended.addEventListener('abort', abort)
  return {
    signal: controller.signal,
    heard: () => {
      clearTimeout(timer)
      timer = setTimeout(abort, SILENCE_MS)
    },
    stop() {
      clearTimeout(timer)
      window.removeEventListener('offline', abort)
      ended.removeEventListener('abort', abort)
      abort()
    },
  }
}

/**
 * Shorter when the browser says that the network is back.
 * @param {number} ms
 * @param {AbortSignal} ended
 */
function pause(ms, ended) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      window.removeEventListener('online', done)
      ended.removeEventListener('abort', done)
      resolve(undefined)
    }
    const timer = setTimeout(done, ms)
    window.addEventListener('online', done)
    ended.addEventListener('abort', done)
  })
}

/**
 * @param {ReadableStream<Uint8Array> | null} body
 * @param {() => void} heard
 */
async function* readMessages(body, heard) {
  const reader = body?.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const part = await reader?.read()
    if (!part || part.done) return
    heard()
    const blocks = (rest + decoder.decode(part.value, { stream: true })).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const message = parseMessage(block)
      if (message) yield message
    }
  }
}

/**
 * One block of the stream (WHATWG HTML, 9.2), as this service writes it. Undefined for a comment.
 * @param {string} block
 * @returns {Message | undefined}
 */
export function parseMessage(block) {
  const fields = new Map(
    block.split('\n').map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trimStart()]
    }),
  )
  const event = fields.get('event')
  if (event === undefined) return undefined
  return { event, id: fields.get('id'), data: fields.get('data') ?? '' }
}
