import type { Stop } from '../job/stop.ts'
import type { VirtualFile } from '../media/virtual-file.ts'
import type { Written } from '../media/write-virtual-file.ts'
import { createThread } from '../thread.ts'

/** Writes clips to where they stay, in a thread of its own: to hash ten minutes takes a quarter of a second. */
export interface ClipWriter {
  /**
   * Writes and syncs the file, out of the sample files in `bufferPath`. Who asks for a path that is being
   * written gets that: a job begun again while it still runs. Throws as the file system does.
   */
  write(file: VirtualFile, path: string, bufferPath: string): Promise<Written>
  stop: Stop
}

export interface WriteRequest {
  file: VirtualFile
  path: string
  bufferPath: string
}

export function createClipWriter(): ClipWriter {
  const thread = createThread<WriteRequest, Written>(new URL('clip-writer-thread.ts', import.meta.url))
  const underWay = new Map<string, Promise<Written>>()
  return {
    write({ head, parts, size }, path, bufferPath) {
      const before = underWay.get(path)
      if (before) return before
      const written = thread.ask({ file: { head, parts, size }, path, bufferPath }).finally(() => underWay.delete(path))
      underWay.set(path, written)
      return written
    },
    stop: thread.stop,
  }
}
