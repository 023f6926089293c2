import type { StartWriter } from '../../src/simulator/segment-writer.ts'

/** A writer that needs no encoder: pieces on time, filled with their own number. */
export const startStillWriter: StartWriter = ({ clock, startedAtMs, segmentSeconds, fps, onSegment }) => {
  let index = 0
  let cancel = next()

  function next(): () => void {
    const at = startedAtMs + (index + 1) * segmentSeconds * 1000
    return clock.after(at - clock.now(), () => {
      close((index + 1) * segmentSeconds - 1 / fps)
      cancel = next()
    })
  }

  function close(lastFrameSeconds: number): void {
    onSegment({ bytes: Buffer.alloc(1000, index), startSeconds: index * segmentSeconds, lastFrameSeconds })
    index += 1
  }

  return {
    pid: undefined,
    show: () => {},
    kill: () => cancel(),
    finish: async () => {
      cancel()
      close(Math.max(index * segmentSeconds, (clock.now() - startedAtMs) / 1000))
      await Promise.resolve()
    },
  }
}
