/** The simulator's only source of time: everything that waits, waits here, so that a test can stand in for time. */
export type SimulatorClock = {
  /** Wall clock in ms. */
  now: () => number
  /** Calls `fn` once after `ms`; the answer cancels it. */
  after: (ms: number, fn: () => void) => () => void
}

export const realClock: SimulatorClock = {
  now: () => Date.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, Math.max(0, ms))
    return () => clearTimeout(timer)
  },
}

/** The same clock, with one switch that cancels everything still waiting and lets nothing new be scheduled. */
export function stoppableClock(clock: SimulatorClock): SimulatorClock & { stop: () => void } {
  const cancels = new Set<() => void>()
  let stopped = false
  return {
    now: () => clock.now(),
    after: (ms, fn) => {
      if (stopped) return () => {}
      const cancel = clock.after(ms, () => {
        cancels.delete(cancel)
        fn()
      })
      cancels.add(cancel)
      return () => {
        cancels.delete(cancel)
        cancel()
      }
    },
    stop: () => {
      stopped = true
      for (const cancel of cancels) cancel()
      cancels.clear()
    },
  }
}

export function wait(clock: SimulatorClock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve)
  })
}
