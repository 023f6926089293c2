import type { Mp4File } from '../media/mp4-file.ts'
import { writeVirtualFile, type Written } from '../media/write-virtual-file.ts'
import { answerAsks } from '../thread.ts'
import type { WriteRequest } from './clip-writer.ts'
import { proveClipFile } from './prove-clip-file.ts'
import { openSampleIn } from './sample-files.ts'

/** The thread of `clip-writer.ts`. */
answerAsks(async ({ file, path, bufferPath }: WriteRequest): Promise<Written> => {
  const mp4 = withBuffers(file)
  const written = await writeVirtualFile(mp4, path, openSampleIn(bufferPath))
  await proveClipFile(path, mp4)
  return written
})

function withBuffers({ head, parts, ...facts }: Mp4File): Mp4File {
  return {
    head: bufferOf(head),
    parts: parts.map((part) => ('bytes' in part ? { bytes: part.bytes.map(bufferOf) } : part)),
    ...facts,
  }
}

const bufferOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
