/**
 * A file that is not there: a head in memory, and ranges of other files after it, read at any range.
 *
 * - A reader holds one block and one open file at a time, however large the file is, and reads on only when asked.
 * - What was opened is closed, also when a reader stops early or fails.
 */
import { open, type FileHandle } from 'node:fs/promises'
import type { Mp4File } from './mp4-file.ts'
import { freshBuffers, type Buffers } from './pump.ts'
import type { Part } from './tracks.ts'

/** Two of them are the memory of a download. */
const BLOCK = 128 * 1024

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

/** The bytes `[start, end)` in blocks of at most 128 KiB, read into `buffers`. */
export async function* readRange(
  file: VirtualFile,
  start: number,
  end: number,
  openSample: OpenSample,
  buffers: Buffers = freshBuffers,
): AsyncGenerator<Buffer, void, undefined> {
  const reader: SampleReader = { openSample, key: null, handle: null }
  try {
    for (const slice of slicesIn(file, start, Math.min(end, file.size))) {
      if (Buffer.isBuffer(slice)) yield slice
      else yield* readSlice(reader, slice, buffers)
    }
  } finally {
    await reader.handle?.close()
  }
}

export type Slice = Extract<Part, { key: string }>

export type SampleReader = { openSample: OpenSample; key: string | null; handle: FileHandle | null }

/** What lies in a range of the file, in order: bytes, or ranges of sample files. */
export function* slicesIn(file: VirtualFile, start: number, end: number): Generator<Buffer | Slice> {
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

async function* readSlice(
  reader: SampleReader,
  { key, offset, length }: Slice,
  buffers: Buffers,
): AsyncGenerator<Buffer> {
  for (let done = 0; done < length;) {
    const block = buffers(Math.min(BLOCK, length - done))
    await readFully(reader, key, block, offset + done)
    done += block.length
    yield block
  }
}

/** Fills a buffer from a sample file. Throws `MissingSample`. The reader's file stays open for the next. */
export async function readFully(reader: SampleReader, key: string, into: Buffer, position: number): Promise<void> {
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

/** The bytes `[start, end)` of a real file, as far as it has them, in the same way. */
export async function* readFileRange(
  path: string,
  start: number,
  end: number,
  buffers: Buffers = freshBuffers,
): AsyncGenerator<Buffer, void, undefined> {
  const handle = await open(path, 'r')
  try {
    for (let at = start; at < end;) {
      const block = buffers(Math.min(BLOCK, end - at))
      const { bytesRead } = await handle.read(block, 0, block.length, at)
      if (bytesRead === 0) return
      yield block.subarray(0, bytesRead)
      at += bytesRead
    }
  } finally {
    await handle.close()
  }
}
