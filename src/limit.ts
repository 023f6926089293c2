/** What was waited for did not come in time. */
export class LimitError extends Error {
  override name = 'LimitError'
}

/** As the promise does, or throws a LimitError after so long; what was begun goes on. */
export async function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LimitError(`no answer within ${limitMs / 1000} s`)), limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
