/** How many segments are in memory at once, over all sessions; and who waits to be next. */
export interface Turns {
  free: number
  waiting: (() => void)[]
}

export const createTurns = (count: number): Turns => ({ free: count, waiting: [] })

/** Does something when it is its turn. First come, first served. */
export async function takeTurn<T>(turns: Turns, work: () => Promise<T>): Promise<T> {
  if (turns.free > 0) turns.free -= 1
  else await new Promise<void>((resolve) => turns.waiting.push(resolve))
  try {
    return await work()
  } finally {
    const next = turns.waiting.shift()
    if (next) next()
    else turns.free += 1
  }
}
