import type { SimulatorClock } from '../../src/simulator/clock.ts'

export interface SimulatedTime extends SimulatorClock {
  /** Lets this much time pass: what is due happens in its order, and each thing is let come to rest before the next. */
  pass(ms: number): Promise<void>
}

interface Timer {
  atMs: number
  fn: () => void
}

/** A clock that moves only when it is told to. `rest` resolves when nothing happens any more by itself. */
export function createSimulatedTime(startMs: number, rest: () => Promise<void>): SimulatedTime {
  const timers = new Set<Timer>()
  let nowMs = startMs

  const firstDue = (untilMs: number): Timer | undefined => {
    let first: Timer | undefined
    for (const timer of timers) if (timer.atMs <= untilMs && (!first || timer.atMs < first.atMs)) first = timer
    return first
  }
  return {
    now: () => nowMs,
    after(ms, fn) {
      const timer = { atMs: Math.ceil(nowMs + Math.max(0, ms)), fn }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    async pass(ms) {
      const untilMs = nowMs + ms
      await rest()
      for (let timer = firstDue(untilMs); timer; timer = firstDue(untilMs)) {
        timers.delete(timer)
        nowMs = Math.max(nowMs, timer.atMs)
        timer.fn()
        await rest()
      }
      nowMs = untilMs
      await rest()
    },
  }
}

/** What goes on in this process, counted, to know when it is over. */
export interface Activity {
  /** Runs and counts a piece of work that ends by itself, without time passing. */
  work<T>(run: () => Promise<T>): Promise<T>
  /** Runs and counts a call to LiveKit, which may wait for time to pass. */
  call<T>(run: () => Promise<T>): Promise<T>
  /** A task that consists of work and calls. */
  task(run: () => Promise<void>): void
  rest(): Promise<void>
}

/** A call that has not been answered for so long waits for time to pass; a slower machine only makes LiveKit slower. */
const CALL_MS = 12

const TURNS = 3

export function createActivity(isBusy: () => boolean): Activity {
  let works = 0
  let calls = 0
  let tasks = 0
  let changes = 0
  const counted = async <T>(change: (by: number) => void, run: () => Promise<T>): Promise<T> => {
    change(1)
    try {
      return await run()
    } finally {
      change(-1)
    }
  }
  const isWorking = () => works > 0 || isBusy() || isWriting() || (tasks > 0 && calls === 0)
  return {
    work: (run) => counted((by) => (works += by), run),
    call: (run) =>
      counted((by) => {
        calls += by
        changes += 1
      }, run),
    task: (run) => void counted((by) => (tasks += by), run),
    async rest() {
      let seen = -1
      let since = 0
      for (let quiet = 0; quiet < TURNS;) {
        await new Promise((resolve) => setImmediate(resolve))
        quiet = isWorking() ? 0 : quiet + 1
        if (quiet === 0 || changes !== seen) {
          seen = changes
          since = performance.now()
        }
        if (calls > 0 && performance.now() - since < CALL_MS) quiet = 0
      }
    },
  }
}

const isWriting = () => process.getActiveResourcesInfo().some((name) => /^(FSReq|FileHandle)/.test(name))
