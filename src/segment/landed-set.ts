/** Which segments of a session are done with. It stays small, however long a session is: they come in order. */
export interface LandedSet {
  has(sequence: number): boolean
  add(sequence: number): void
  /** The lowest that is not in it: below, nothing is missing. */
  firstMissing(): number
}

export function createLandedSet(sequences: Iterable<number> = []): LandedSet {
  const beyond = new Set(sequences)
  let next = 0
  const advance = () => {
    for (; beyond.delete(next); next += 1);
  }
  advance()
  return {
    has: (sequence) => sequence < next || beyond.has(sequence),
    add(sequence) {
      if (sequence >= next) beyond.add(sequence)
      advance()
    },
    firstMissing: () => next,
  }
}
