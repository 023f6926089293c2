/** The tables of `stbl`: what each sample is, when, and where. Sections are those of ISO/IEC 14496-12. */
import { fullBox, uint32 } from './mp4-boxes.ts'
import type { Chunk } from './tracks.ts'

/** 8.6.1.2, from the steps of decode times; runs of equal ones are one entry. */
export function stts(dts: Float64Array, lastDuration: number): Buffer {
  const last = dts.length - 1
  return fullBox(
    'stts',
    0,
    0,
    runs(dts.length, (i) => (i === last ? lastDuration : dts[i + 1]! - dts[i]!)),
  )
}

export function evenStts(count: number, duration: number): Buffer {
  return fullBox('stts', 0, 0, uint32(1, count, duration))
}

/** 8.6.1.3; version 1 only if a picture is shown before it is decoded. None if every offset is 0. */
export function ctts(dts: Float64Array, pts: Float64Array): Buffer[] {
  let least = 0
  let most = 0
  for (let i = 0; i < dts.length; i += 1) {
    least = Math.min(least, pts[i]! - dts[i]!)
    most = Math.max(most, pts[i]! - dts[i]!)
  }
  if (least === 0 && most === 0) return []
  return [
    fullBox(
      'ctts',
      least < 0 ? 1 : 0,
      0,
      runs(dts.length, (i) => pts[i]! - dts[i]!),
    ),
  ]
}

/** `[count, value]` for each run of equal values, as `stts` and `ctts` have them. */
function runs(length: number, valueAt: (i: number) => number): Buffer {
  const bytes = Buffer.allocUnsafe(4 + length * 8)
  let entries = 0
  for (let i = 0, count = 1; i < length; i += 1, count += 1) {
    const value = valueAt(i)
    if (i + 1 < length && valueAt(i + 1) === value) continue
    bytes.writeUInt32BE(count, 4 + entries * 8)
    bytes.writeInt32BE(value | 0, 8 + entries * 8)
    entries += 1
    count = 0
  }
  bytes.writeUInt32BE(entries)
  return bytes.subarray(0, 4 + entries * 8)
}

/** 8.6.2 */
export function stss(keys: number[]): Buffer {
  return fullBox('stss', 0, 0, uint32(keys.length, ...keys.map((key) => key + 1)))
}

/** 8.7.3.2 */
export function stsz(sizes: Uint32Array): Buffer {
  const table = Buffer.from(sizes.buffer, sizes.byteOffset, sizes.byteLength)
  return fullBox('stsz', 0, 0, uint32(0, sizes.length), Buffer.from(table).swap32())
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
