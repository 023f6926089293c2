import { open, type FileHandle } from 'node:fs/promises'
import type { Mp4File } from '../media/mp4-file.ts'
import { mp4HeadBytes, readMp4, type ReadMp4 } from '../media/mp4-read.ts'

/**
 * Reads back from the disk what was written: that the file is as long as it should be,
 * and that its index, read anew, says the length and the frames that were meant. Throws
 * when it does not.
 */
export async function proveClipFile(path: string, mp4: Mp4File): Promise<void> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (size !== mp4.size) throw new Error(`the clip's file has ${size} bytes instead of ${mp4.size}`)
    const found = await readIndex(file)
    if (found.durationTicks !== mp4.durationTicks)
      throw new Error(`the clip's file lasts ${found.durationTicks} ticks instead of ${mp4.durationTicks}`)
    const described = found.mediaStart + found.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0)
    if (described !== size) throw new Error(`the clip's index describes ${described} bytes of ${size}`)
    if (found.video.sizes.length < mp4.frameCount)
      throw new Error(`the clip's file has ${found.video.sizes.length} frames instead of ${mp4.frameCount}`)
  } finally {
    await file.close()
  }
}

/** The index of a clip at rest. Throws `CorruptMp4`. */
export async function readIndex(file: FileHandle): Promise<ReadMp4> {
  const start = Buffer.alloc(64)
  await file.read(start, 0, start.length, 0)
  const head = Buffer.alloc(mp4HeadBytes(start))
  await file.read(head, 0, head.length, 0)
  return readMp4(head)
}
