import type { Stop } from '../job/stop.ts'
import type { Mp4File } from '../media/mp4-file.ts'
import type { Written } from '../media/write-virtual-file.ts'
import { createThread } from '../thread.ts'

/**
 * Writes clips to where they stay, in a thread of its own: to hash ten minutes takes a quarter of a second, and to read
 * their index back 30 ms.
 */
export interface ClipWriter {
  /**
   * Writes, syncs and proves the file, out of the sample files in `bufferPath`. Who asks for a path that is being
   * written gets that: a job begun again while it still runs. Throws as the file system does, and when the proof fails.
   */
  write(file: Mp4File, path: string, bufferPath: string): Promise<Written>
  stop: Stop
}

export interface WriteRequest {
  file: Mp4File
  path: string
  bufferPath: string
}

export function createClipWriter(): ClipWriter {
  const thread = createThread<WriteRequest, Written>(new URL('clip-writer-thread.ts', import.meta.url))
  const underWay = new Map<string, Promise<Written>>()
  return {
    write(file, path, bufferPath) {
      const before = underWay.get(path)
      if (before) return before
      const written = thread.ask({ file, path, bufferPath }).finally(() => underWay.delete(path))
      underWay.set(path, written)
      return written
    },
    stop: thread.stop,
  }
}
