/**
 * A file that is not there: a head in memory, and ranges of other files after it. Read at any range, or written out.
 *
 * - A reader holds one block and one open file at a time, however large the file is, and reads on only when asked.
 * - What was opened is closed, also when a reader stops early or fails.
 */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import type { Mp4File } from './mp4-file.ts'
import type { Part } from './tracks.ts'

const BLOCK = 1024 * 1024

/** Opens the sample file of a key for reading. */
export type OpenSample = (key: string) => Promise<FileHandle>

/** A sample file that should be there is not, or is shorter than its row says. */
export class MissingSample extends Error {
  override name = 'MissingSample'
  readonly key: string
  constructor(key: string, options?: ErrorOptions) {
    super(`the sample file ${key} is missing or too short`, options)
    this.key = key
  }
}

export type VirtualFile = Pick<Mp4File, 'head' | 'parts' | 'size'>

/** The bytes `[start, end)` in blocks of at most 1 MiB. Each block is the consumer's own. */
export async function* readRange(
  file: VirtualFile,
  start: number,
  end: number,
  openSample: OpenSample,
): AsyncGenerator<Buffer, void, undefined> {
  const reader: SampleReader = { openSample, key: null, handle: null }
  try {
    for (const slice of slicesIn(file, start, Math.min(end, file.size))) {
      if (Buffer.isBuffer(slice)) yield slice
      else yield* readSlice(reader, slice)
    }
  } finally {
    await reader.handle?.close()
  }
}

export type Written = { bytes: number; sha256: string }

/**
 * Writes the whole file in blocks of 1 MiB and syncs it to the disk; the caller renames it. The path must not exist yet
 * or may be overwritten.
 */
export async function writeVirtualFile(file: VirtualFile, path: string, openSample: OpenSample): Promise<Written> {
  const hash = createHash('sha256')
  const target = await open(path, 'w')
  const reader: SampleReader = { openSample, key: null, handle: null }
  // While one block is written and hashed, the next is read into the other buffer.
  const buffers = [Buffer.allocUnsafe(BLOCK), Buffer.allocUnsafe(BLOCK)] as const
  const read = async (n: number): Promise<Buffer> => {
    const position = n * BLOCK
    const block = buffers[n % 2 === 0 ? 0 : 1].subarray(0, Math.max(0, Math.min(BLOCK, file.size - position)))
    await fillBlock(file, reader, block, position)
    return block
  }
  try {
    let block = await read(0)
    for (let n = 0; block.length > 0; n += 1) {
      const work = Promise.allSettled([writeBlock(target, block, n * BLOCK), read(n + 1)])
      hash.update(block)
      const [written, next] = await work
      if (written.status === 'rejected') throw written.reason
      if (next.status === 'rejected') throw next.reason
      block = next.value
    }
    await target.sync()
  } finally {
    await reader.handle?.close()
    await target.close()
  }
  return { bytes: file.size, sha256: hash.digest('hex') }
}

type Slice = Extract<Part, { key: string }>

type SampleReader = { openSample: OpenSample; key: string | null; handle: FileHandle | null }

/** What lies in a range of the file: bytes, or ranges of sample files. */
function* slicesIn(file: VirtualFile, start: number, end: number): Generator<Buffer | Slice> {
  if (start < file.head.length) yield file.head.subarray(start, Math.min(end, file.head.length))
  let at = file.head.length
  for (const part of file.parts) {
    if (at >= end) return
    const length = partLength(part)
    const from = Math.max(0, start - at)
    const to = Math.min(length, end - at)
    at += length
    if (from >= to) continue
    if ('bytes' in part) yield Buffer.concat(part.bytes).subarray(from, to)
    else yield { key: part.key, offset: part.offset + from, length: to - from }
  }
}

export function partLength(part: Part): number {
  return 'bytes' in part ? part.bytes.reduce((sum, bytes) => sum + bytes.length, 0) : part.length
}

async function* readSlice(reader: SampleReader, { key, offset, length }: Slice): AsyncGenerator<Buffer> {
  for (let done = 0; done < length;) {
    const block = Buffer.allocUnsafe(Math.min(BLOCK, length - done))
    await readFully(reader, key, block, offset + done)
    done += block.length
    yield block
  }
}

async function fillBlock(file: VirtualFile, reader: SampleReader, block: Buffer, position: number): Promise<void> {
  let at = 0
  for (const slice of slicesIn(file, position, position + block.length)) {
    if (Buffer.isBuffer(slice)) {
      block.set(slice, at)
      at += slice.length
    } else {
      await readFully(reader, slice.key, block.subarray(at, at + slice.length), slice.offset)
      at += slice.length
    }
  }
}

async function readFully(reader: SampleReader, key: string, into: Buffer, position: number): Promise<void> {
  const handle = await handleOf(reader, key)
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) throw new MissingSample(key)
    done += bytesRead
  }
}

async function handleOf(reader: SampleReader, key: string): Promise<FileHandle> {
  if (reader.key === key && reader.handle) return reader.handle
  await reader.handle?.close()
  reader.handle = null
  reader.key = key
  try {
    reader.handle = await reader.openSample(key)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new MissingSample(key, { cause: error })
    throw error
  }
  return reader.handle
}

async function writeBlock(target: FileHandle, block: Buffer, position: number): Promise<void> {
  for (let done = 0; done < block.length;) {
    const { bytesWritten } = await target.write(block, done, block.length - done, position + done)
    done += bytesWritten
  }
}
