/**
 * Little-endian base-128 numbers, as in protocol buffers; signed ones zigzag. Values up to 2^48: only small ones are
 * looked at bitwise.
 */

export class CorruptFrameIndex extends Error {
  override name = 'CorruptFrameIndex'
}

export type Reader = { bytes: Uint8Array; at: number }

export function putVarint(out: number[], value: number): void {
  let rest = value
  while (rest >= 128) {
    out.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  out.push(rest)
}

export function putSigned(out: number[], value: number): void {
  putVarint(out, value < 0 ? -2 * value - 1 : 2 * value)
}

export function putBytes(out: number[], bytes: Uint8Array): void {
  putVarint(out, bytes.length)
  for (const byte of bytes) out.push(byte)
}

export function takeVarint(reader: Reader): number {
  const { bytes, at } = reader
  // Nearly all have three bytes at most: a clip of ten minutes has a hundred thousand of them.
  if (at + 2 >= bytes.length) return takeAnyVarint(reader)
  const first = bytes[at]!
  if (first < 128) {
    reader.at = at + 1
    return first
  }
  const second = bytes[at + 1]!
  if (second < 128) {
    reader.at = at + 2
    return (first & 127) | (second << 7)
  }
  const third = bytes[at + 2]!
  if (third >= 128) return takeAnyVarint(reader)
  reader.at = at + 3
  return (first & 127) | ((second & 127) << 7) | (third << 14)
}

function takeAnyVarint(reader: Reader): number {
  let value = 0
  let scale = 1
  for (let i = 0; i < 7; i += 1) {
    const byte = reader.bytes[reader.at]
    if (byte === undefined) throw new CorruptFrameIndex('the frame index ends early')
    reader.at += 1
    value += (byte & 127) * scale
    if (byte < 128) return value
    scale *= 128
  }
  throw new CorruptFrameIndex('the frame index holds a number that is too long')
}

export function takeSigned(reader: Reader): number {
  const value = takeVarint(reader)
  if (value <= 0x7fffffff) return (value >>> 1) ^ -(value & 1)
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2
}

/** A view of what is read, which whoever keeps it copies. */
export function takeBytes(reader: Reader): Buffer {
  const length = takeVarint(reader)
  if (length > reader.bytes.length - reader.at) throw new CorruptFrameIndex('the frame index ends early')
  reader.at += length
  const { buffer, byteOffset } = reader.bytes
  return Buffer.from(buffer, byteOffset + reader.at - length, length)
}

/** How many entries follow; each takes a byte at least, so a wild number is seen before anything is allocated. */
export function takeCount(reader: Reader): number {
  const count = takeVarint(reader)
  if (count > reader.bytes.length - reader.at) throw new CorruptFrameIndex('the frame index ends early')
  return count
}
