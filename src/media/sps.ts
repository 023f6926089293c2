/** The sequence parameter set (ISO/IEC 14496-10, 7.3.2.1.1): only what an MP4 wants to know of it. */

export type PictureSize = { width: number; height: number }

/** Profiles that carry the chroma fields (ISO/IEC 14496-10, 7.3.2.1.1). */
const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135])

type Bits = { bytes: number[]; at: number; overrun: boolean }

/** The size of the picture after cropping, or null when the set cannot be read. */
export function readPictureSize(sps: Uint8Array): PictureSize | null {
  const bits: Bits = { bytes: withoutEmulation(sps), at: 0, overrun: false }
  take(bits, 8)
  const profile = take(bits, 8)
  take(bits, 16)
  golomb(bits)
  const chroma = HIGH_PROFILES.has(profile) ? readChroma(bits) : 1
  readOrder(bits)
  golomb(bits)
  take(bits, 1)
  const columns = golomb(bits) + 1
  const rows = golomb(bits) + 1
  const frameOnly = take(bits, 1)
  if (frameOnly === 0) take(bits, 1)
  take(bits, 1)
  const crop = take(bits, 1) === 1 ? [golomb(bits), golomb(bits), golomb(bits), golomb(bits)] : [0, 0, 0, 0]
  if (bits.overrun) return null
  const cropX = chroma === 1 || chroma === 2 ? 2 : 1
  const cropY = (chroma === 1 ? 2 : 1) * (2 - frameOnly)
  const width = columns * 16 - cropX * (crop[0]! + crop[1]!)
  const height = rows * 16 * (2 - frameOnly) - cropY * (crop[2]! + crop[3]!)
  // An MP4 sample entry has 16 bits for each.
  return width > 0 && height > 0 && width < 65536 && height < 65536 ? { width, height } : null
}

function readChroma(bits: Bits): number {
  const chroma = golomb(bits)
  if (chroma === 3) take(bits, 1)
  golomb(bits)
  golomb(bits)
  take(bits, 1)
  if (take(bits, 1) === 1) {
    for (let list = 0; list < (chroma === 3 ? 12 : 8); list += 1)
      if (take(bits, 1) === 1) skipScalingList(bits, list < 6 ? 16 : 64)
  }
  return chroma
}

function skipScalingList(bits: Bits, size: number): void {
  let next = 8
  let last = 8
  for (let i = 0; i < size && !bits.overrun; i += 1) {
    if (next !== 0) next = (last + signedGolomb(bits) + 256) % 256
    if (next !== 0) last = next
  }
}

/** Picture order count: skipped. */
function readOrder(bits: Bits): void {
  golomb(bits)
  const type = golomb(bits)
  if (type === 0) golomb(bits)
  if (type !== 1) return
  take(bits, 1)
  signedGolomb(bits)
  signedGolomb(bits)
  const cycle = golomb(bits)
  for (let i = 0; i < cycle && !bits.overrun; i += 1) signedGolomb(bits)
}

/** ISO/IEC 14496-10, 7.4.1: a 3 after two zeros is not data. */
function withoutEmulation(nal: Uint8Array): number[] {
  const bytes: number[] = []
  let zeros = 0
  for (const byte of nal) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0
      continue
    }
    zeros = byte === 0 ? zeros + 1 : 0
    bytes.push(byte)
  }
  return bytes
}

function take(bits: Bits, count: number): number {
  let value = 0
  for (let i = 0; i < count; i += 1) {
    const byte = bits.bytes[bits.at >> 3]
    if (byte === undefined) bits.overrun = true
    value = value * 2 + (((byte ?? 0) >> (7 - (bits.at & 7))) & 1)
    bits.at += 1
  }
  return value
}

function golomb(bits: Bits): number {
  let zeros = 0
  while (take(bits, 1) === 0 && !bits.overrun && zeros < 32) zeros += 1
  return 2 ** zeros - 1 + take(bits, zeros)
}

function signedGolomb(bits: Bits): number {
  const value = golomb(bits)
  return value % 2 === 1 ? (value + 1) / 2 : -value / 2
}
