import type { VirtualFile } from '../media/virtual-file.ts'
import { writeVirtualFile } from '../media/write-virtual-file.ts'
import { answerAsks } from '../thread.ts'
import type { WriteRequest } from './clip-writer.ts'
import { openSampleIn } from './sample-files.ts'

/** The thread of `clip-writer.ts`. */
answerAsks(({ file, path, bufferPath }: WriteRequest) =>
  writeVirtualFile(withBuffers(file), path, openSampleIn(bufferPath)),
)

function withBuffers({ head, parts, size }: VirtualFile): VirtualFile {
  return {
    head: bufferOf(head),
    parts: parts.map((part) => ('bytes' in part ? { bytes: part.bytes.map(bufferOf) } : part)),
    size,
  }
}

const bufferOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
