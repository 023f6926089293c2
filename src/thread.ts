import { parentPort, Worker, type ResourceLimits } from 'node:worker_threads'

/*
 * Work on bytes in a thread of its own, so that nobody's request waits for it. The thread
 * starts when it is first asked, and again after a crash, which fails what was under way.
 */

export interface Thread<Request, Answer> {
  /** What the thread makes of it. Throws as the work does: message and `code` cross over. */
  ask(request: Request): Promise<Answer>
  /** Ends the thread, and fails what is under way. */
  stop: () => Promise<void>
}

interface Asked<Request> {
  id: number
  request: Request
}

type Answered<Answer> = { id: number } & ({ answer: Answer } | { error: { message: string; code: string | undefined } })

interface Pending<Answer> {
  resolve: (answer: Answer) => void
  reject: (error: Error) => void
}

/** Small, so that what is garbage goes soon. */
const LIMITS: ResourceLimits = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 64 }

/** `script` calls `answerAsks`. What crosses over is cloned: a Buffer arrives as a plain `Uint8Array`. */
export function createThread<Request, Answer>(script: URL): Thread<Request, Answer> {
  const pending = new Map<number, Pending<Answer>>()
  let worker: Worker | undefined
  let count = 0

  const lose = (lost: Worker, error: Error) => {
    if (worker !== lost) return
    worker = undefined
    for (const { reject } of pending.values()) reject(error)
    pending.clear()
  }
  const start = (): Worker => {
    const started = new Worker(script, { resourceLimits: LIMITS })
    started.unref()
    started.on('message', (answered: Answered<Answer>) => settle(pending, answered))
    started.on('error', (error: Error) => lose(started, error))
    started.on('exit', () => lose(started, new Error('the thread ended')))
    return started
  }
  return {
    async ask(request) {
      worker ??= start()
      count += 1
      const asked: Asked<Request> = { id: count, request }
      const answer = new Promise<Answer>((resolve, reject) => pending.set(asked.id, { resolve, reject }))
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
      worker.postMessage(asked)
      return answer
    },
    async stop() {
      await worker?.terminate()
    },
  }
}

function settle<Answer>(pending: Map<number, Pending<Answer>>, answered: Answered<Answer>): void {
  const waiting = pending.get(answered.id)
  pending.delete(answered.id)
  if (!waiting) return
  if ('error' in answered)
    waiting.reject(Object.assign(new Error(answered.error.message), { code: answered.error.code }))
  else waiting.resolve(answered.answer)
}

/** Called in the thread, once: does what is asked for, as it comes. */
export function answerAsks(work: (request: never) => Promise<unknown>): void {
  parentPort?.on('message', (asked: Asked<never>) => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    void answerOne(work, asked).then((answered) => parentPort?.postMessage(answered))
  })
}

async function answerOne(
  work: (request: never) => Promise<unknown>,
  { id, request }: Asked<never>,
): Promise<Answered<unknown>> {
  try {
    return { id, answer: await work(request) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { id, error: { message, code: error instanceof Error && 'code' in error ? String(error.code) : undefined } }
  }
}
