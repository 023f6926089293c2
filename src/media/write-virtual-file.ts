/**
 * Writes a virtual file to the disk, and its sha256 on the way.
 *
 * - Blocks are read ahead and written behind, so that the one thread which hashes never waits for either.
 * - The disk is begun with long before the end, so that the last sync has little left to do.
 * - Memory is `SLOTS` blocks, however large the file is.
 */
import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { releaseBytes } from './release.ts'
import {
  readFully,
  slicesIn,
  type OpenSample,
  type SampleReader,
  type Slice,
  type VirtualFile,
} from './virtual-file.ts'

/** A whole segment of 2 s of 1080p60 at once. */
const BLOCK = 2 * 1024 * 1024
const SLOTS = 4
/** Ten minutes then take as long as `cp` and fsync; begun with only at the end, 1.6 times that (measured). */
const SYNC_EVERY = 16 * 1024 * 1024

export type Written = { bytes: number; sha256: string }

/**
 * Writes the whole file and syncs it to the disk; the caller renames it. The path must not exist yet or may be
 * overwritten. Throws `MissingSample`, or as the file system does.
 */
export async function writeVirtualFile(file: VirtualFile, path: string, openSample: OpenSample): Promise<Written> {
  const target = await open(path, 'w')
  try {
    const sha256 = await copyBlocks(blocksOf(file), target, openSample)
    await target.sync()
    return { bytes: file.size, sha256 }
  } finally {
    await target.close()
  }
}

/** What lies side by side in the file, and is written at once. */
type Block = { slices: (Buffer | Slice)[]; length: number }

function* blocksOf(file: VirtualFile): Generator<Block> {
  let block: Block = { slices: [], length: 0 }
  for (const slice of slicesIn(file, 0, file.size)) {
    for (let done = 0; done < slice.length;) {
      const length = Math.min(slice.length - done, BLOCK - block.length)
      block.slices.push(pieceOf(slice, done, length))
      block.length += length
      done += length
      if (block.length === BLOCK) {
        yield block
        block = { slices: [], length: 0 }
      }
    }
  }
  if (block.length > 0) yield block
}

function pieceOf(slice: Buffer | Slice, from: number, length: number): Buffer | Slice {
  if (Buffer.isBuffer(slice)) return slice.subarray(from, from + length)
  return { key: slice.key, offset: slice.offset + from, length }
}

/** Resolves with the sha256 of all, once nothing is in flight any more, also when it fails. */
async function copyBlocks(blocks: Generator<Block>, target: FileHandle, openSample: OpenSample): Promise<string> {
  const hash = createHash('sha256')
  const slots = Array.from({ length: SLOTS }, () => ({ buffer: Buffer.allocUnsafe(BLOCK), written: nothing() }))
  const readAhead = ({ buffer, written }: (typeof slots)[number]): Promise<Buffer | undefined> => {
    const { value: block } = blocks.next()
    return block ? handled(written.then(() => readBlock(block, buffer, openSample))) : Promise.resolve(undefined)
  }
  const reads = slots.map(readAhead)
  let synced = nothing()
  try {
    for (let n = 0, at = 0; ; n = (n + 1) % SLOTS) {
      const bytes = await reads[n]
      if (!bytes) break
      const slot = slots[n]!
      slot.written = handled(writeFully(target, bytes, at))
      hash.update(bytes)
      reads[n] = readAhead(slot)
      at += bytes.length
      if (at % SYNC_EVERY < bytes.length) synced = handled(synced.then(() => target.datasync()))
    }
    await Promise.all([synced, ...slots.map(({ written }) => written)])
  } finally {
    await Promise.allSettled([synced, ...reads, ...slots.map(({ written }) => written)])
    for (const { buffer } of slots) releaseBytes(buffer)
  }
  return hash.digest('hex')
}

const nothing = (): Promise<void> => Promise.resolve()

/** Whoever awaits it later sees its failure: until then it is not an unhandled one. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

async function readBlock({ slices, length }: Block, into: Buffer, openSample: OpenSample): Promise<Buffer> {
  const reader: SampleReader = { openSample, key: null, handle: null }
  try {
    let at = 0
    for (const slice of slices) {
      if (Buffer.isBuffer(slice)) into.set(slice, at)
      else await readFully(reader, slice.key, into.subarray(at, at + slice.length), slice.offset)
      at += slice.length
    }
    return into.subarray(0, length)
  } finally {
    await reader.handle?.close()
  }
}

async function writeFully(target: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await target.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
