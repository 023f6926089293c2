/** Remembers what was made for the keys used last; a failure is not remembered. */
export type Recent<V> = (key: string, make: () => Promise<V>) => Promise<V>

export function createRecent<V>(size: number): Recent<V> {
  const kept = new Map<string, Promise<V>>()
  return async (key, make) => {
    const made = kept.get(key) ?? make()
    kept.delete(key)
    kept.set(key, made)
    for (const oldest of kept.keys()) if (kept.size > size) kept.delete(oldest)
    try {
      return await made
    } catch (error) {
      if (kept.get(key) === made) kept.delete(key)
      throw error
    }
  }
}
