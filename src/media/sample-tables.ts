/** The tables of `stbl`: what each sample is, when, and where. Sections are those of ISO/IEC 14496-12. */
import { fullBox, uint32 } from './mp4-boxes.ts'
import type { Chunk } from './tracks.ts'

/** 8.6.1.2, from the steps of decode times; runs of equal ones are one entry. */
export function stts(dts: Float64Array, lastDuration: number): Buffer {
  const last = dts.length - 1
  const steps = new Int32Array(dts.length)
  for (let i = 0; i < last; i += 1) steps[i] = dts[i + 1]! - dts[i]!
  steps[last] = lastDuration
  return fullBox('stts', 0, 0, runs(steps))
}

export function evenStts(count: number, duration: number): Buffer {
  return fullBox('stts', 0, 0, uint32(1, count, duration))
}

/** 8.6.1.3; version 1 only if a picture is shown before it is decoded. None if every offset is 0. */
export function ctts(dts: Float64Array, pts: Float64Array): Buffer[] {
  const offsets = new Int32Array(dts.length)
  let least = 0
  let most = 0
  for (let i = 0; i < dts.length; i += 1) {
    const offset = pts[i]! - dts[i]!
    offsets[i] = offset
    if (offset < least) least = offset
    if (offset > most) most = offset
  }
  return least === 0 && most === 0 ? [] : [fullBox('ctts', least < 0 ? 1 : 0, 0, runs(offsets))]
}

/** How many there are, and `[count, value]` for each run of equal values, as `stts` and `ctts` have them. */
function runs(values: Int32Array): Buffer {
  const table = new Int32Array(1 + 2 * values.length)
  let at = 1
  for (let i = 0, count = 1; i < values.length; i += 1, count += 1) {
    if (i + 1 < values.length && values[i + 1] === values[i]) continue
    table[at] = count
    table[at + 1] = values[i]!
    at += 2
    count = 0
  }
  table[0] = (at - 1) / 2
  return bigEndian(table, at)
}

/** The first `count` numbers, as every number in an MP4 is; in place. */
function bigEndian({ buffer, byteOffset }: Int32Array | Uint32Array, count: number): Buffer {
  return Buffer.from(buffer, byteOffset, count * 4).swap32()
}

/** 8.6.2 */
export function stss(keys: number[]): Buffer {
  return fullBox('stss', 0, 0, uint32(keys.length, ...keys.map((key) => key + 1)))
}

/** 8.7.3.2 */
export function stsz(sizes: Uint32Array): Buffer {
  return fullBox('stsz', 0, 0, uint32(0, sizes.length), bigEndian(sizes.slice(), sizes.length))
}

/** 8.7.4: one entry whenever the number of samples in a chunk changes. */
export function stsc(chunks: Chunk[]): Buffer {
  const entries: number[] = []
  let samples = -1
  for (const [i, chunk] of chunks.entries()) {
    if (chunk.samples !== samples) entries.push(i + 1, chunk.samples, 1)
    samples = chunk.samples
  }
  return fullBox('stsc', 0, 0, uint32(entries.length / 3, ...entries))
}

/** 8.7.5; `co64` when an offset does not fit. */
export function chunkOffsets(offsets: number[], wide: boolean): Buffer {
  if (!wide) return fullBox('stco', 0, 0, uint32(offsets.length, ...offsets))
  const halves = offsets.flatMap((offset) => [Math.floor(offset / 2 ** 32), offset % 2 ** 32])
  return fullBox('co64', 0, 0, uint32(offsets.length, ...halves))
}

/** Adds to every offset of such a table, in place. */
export function moveChunkOffsets(table: Buffer, by: number, wide: boolean): void {
  const width = wide ? 8 : 4
  for (let at = 16; at < table.length; at += width) {
    if (wide) table.writeBigUInt64BE(table.readBigUInt64BE(at) + BigInt(by), at)
    else table.writeUInt32BE(table.readUInt32BE(at) + by, at)
  }
}

/** The tables that must be there, empty. */
export function noSamples(): Buffer[] {
  return [
    fullBox('stts', 0, 0, uint32(0)),
    fullBox('stsc', 0, 0, uint32(0)),
    fullBox('stsz', 0, 0, uint32(0, 0)),
    fullBox('stco', 0, 0, uint32(0)),
  ]
}
