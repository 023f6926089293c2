import type { Writable } from 'node:stream'
import { releaseBytes } from './release.ts'

/** Gives a buffer of that many bytes to read into. */
export type Buffers = (length: number) => Buffer

export const freshBuffers: Buffers = (length) => Buffer.allocUnsafe(length)

export interface TwoBuffers {
  take: Buffers
  /** Once nothing is read into them or written out of them any more. */
  release: () => void
}

/**
 * The same two buffers in turns, so that any amount goes through without garbage: one is
 * read into while the other is written out. Whoever asks for a third must be done with
 * the first, as `pump` is.
 */
export function twoBuffers(): TwoBuffers {
  const kept: Buffer[] = []
  let turn = 0
  return {
    take(length) {
      turn = 1 - turn
      const buffer = kept[turn]
      if (buffer && buffer.length >= length) return buffer.subarray(0, length)
      return (kept[turn] = Buffer.allocUnsafeSlow(length))
    },
    release: () => kept.forEach(releaseBytes),
  }
}

/**
 * Writes the blocks one after the other, each when the one before has been taken, and
 * reads the next meanwhile. Resolves with how many bytes were written: fewer than there
 * are if the target was closed. Throws as the blocks do. Once settled, nothing reads or
 * writes a block any more.
 */
export async function pump(blocks: AsyncIterable<Buffer>, target: Writable): Promise<number> {
  const iterator = blocks[Symbol.asyncIterator]()
  let taken: (() => void) | undefined
  const onClose = () => taken?.()
  target.once('close', onClose)
  let written = 0
  try {
    let next = iterator.next()
    for (;;) {
      const { value: block, done } = await next
      if (done === true || target.destroyed) return written
      const isTaken = new Promise<void>((resolve) => {
        taken = resolve
        target.write(block, () => resolve())
      })
      next = iterator.next()
      // Its failure is seen in the next round.
      next.catch(() => undefined)
      await isTaken
      written += block.length
    }
  } finally {
    target.off('close', onClose)
    await iterator.return?.()
  }
}
