import { open } from 'node:fs/promises'
import type { Mp4File } from '../media/mp4-file.ts'

/**
 * Reads back from the disk what was written: that the file is as long as it should be
 * and that its index, which holds the length and every frame, is the one that was made.
 * Throws when it is not.
 */
export async function proveClipFile(path: string, mp4: Mp4File): Promise<void> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (size !== mp4.size) throw new Error(`the clip's file has ${size} bytes instead of ${mp4.size}`)
    const head = Buffer.alloc(mp4.head.length)
    await file.read(head, 0, head.length, 0)
    if (!head.equals(mp4.head)) throw new Error("the clip's file does not begin with its index")
  } finally {
    await file.close()
  }
}
