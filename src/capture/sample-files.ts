import { open, type FileHandle } from 'node:fs/promises'
import { bufferPathOf } from '../segment/buffer-path.ts'

/** Names a sample file to whoever opens it. */
export const sampleKey = (sessionId: string, fileName: string) => `${sessionId}/${fileName}`

/** Opens sample files by their key. */
export function openSampleIn(bufferPath: string): (key: string) => Promise<FileHandle> {
  return async (key) => {
    const [sessionId = '', fileName = ''] = key.split('/')
    return open(bufferPathOf(bufferPath, sessionId, fileName), 'r')
  }
}
