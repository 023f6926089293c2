/**
 * Does things together that come while others are being done: what comes alone is done at once, and what comes together
 * costs little more than one. `work` answers for each item, in their order.
 *
 * When it fails for several, each is done by itself, so that one of them cannot fail the rest, unless `isAway` says
 * that none of them would fare better.
 */
export function createBatches<T, R>(
  work: (items: T[]) => Promise<R[]>,
  isAway: (error: unknown) => boolean,
): (item: T) => Promise<R> {
  let waiting: Entry<T, R>[] = []
  let isWorking = false

  const run = async (): Promise<void> => {
    isWorking = true
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      await settle(batch, work, isAway)
    }
    isWorking = false
  }
  return async (item) =>
    new Promise<R>((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (!isWorking) void run()
    })
}

interface Entry<T, R> {
  item: T
  resolve: (result: R) => void
  reject: (error: unknown) => void
}

/** Never throws: each entry is told. */
async function settle<T, R>(
  batch: Entry<T, R>[],
  work: (items: T[]) => Promise<R[]>,
  isAway: (error: unknown) => boolean,
): Promise<void> {
  try {
    const results = await work(batch.map(({ item }) => item))
    batch.forEach(({ resolve }, i) => resolve(results[i]!))
  } catch (error) {
    if (batch.length === 1 || isAway(error)) for (const { reject } of batch) reject(error)
    else for (const entry of batch) await settle([entry], work, isAway)
  }
}
