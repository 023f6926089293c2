/**
 * What a segment's row knows of its sample file: enough to write an MP4's index without opening a single file.
 *
 * The sample file holds all pictures in decode order, then all sound; so sizes give offsets. Packed, two seconds of
 * 1080p60 with sound take well under 1 KB: differences instead of values, columns instead of rows, and a palette for
 * `pts - dts`, of which there are three to ten in a stream with B-frames.
 */
import { readAudioConfig } from './aac.ts'
import { readPictureSize } from './sps.ts'
import {
  CorruptFrameIndex,
  putBytes,
  putSigned,
  putVarint,
  type Reader,
  takeBytes,
  takeCount,
  takeSigned,
  takeVarint,
} from './varint.ts'

const VERSION = 1

export type FrameIndex = {
  /** Decode time of the first picture on the file's 33-bit clock; all other times are ticks (1/90000 s) after it. */
  firstDts: number
  sps: Buffer
  pps: Buffer
  video: { sizes: Uint32Array; dts: Int32Array; pts: Int32Array; keys: number[] }
  audio: AudioIndex | null
}

export type AudioIndex = {
  /** AudioSpecificConfig, two bytes (ISO/IEC 14496-3, 1.6.2.1). */
  config: number
  sizes: Uint32Array
  /** Frames follow each other without a break from each anchor on; the first anchor is frame 0. */
  anchors: AudioAnchor[]
}

export type AudioAnchor = { frame: number; pts: number }

export function packFrameIndex(index: FrameIndex): Buffer {
  const out: number[] = [VERSION]
  putVarint(out, index.firstDts)
  putBytes(out, index.sps)
  putBytes(out, index.pps)
  packVideo(out, index.video)
  putVarint(out, index.audio === null ? 0 : 1)
  if (index.audio) packAudio(out, index.audio)
  return Buffer.from(out)
}

/** Shared by segments that are unpacked together: one after the other they are nearly the same, and each is small. */
export type Unpacking = {
  /** Where tables are put, as long as there is room; then comes a new one, of so many bytes at least. */
  memory: ArrayBuffer
  used: number
  memoryBytes: number
  sps: Buffer
  pps: Buffer
}

export function startUnpacking(memoryBytes = 64 * 1024): Unpacking {
  return { memory: new ArrayBuffer(0), used: 0, memoryBytes, sps: Buffer.alloc(0), pps: Buffer.alloc(0) }
}

/** Throws `CorruptFrameIndex` on anything that `packFrameIndex` does not write. */
export function unpackFrameIndex(bytes: Uint8Array, unpacking = startUnpacking(0)): FrameIndex {
  const reader: Reader = { bytes, at: 0 }
  const version = takeVarint(reader)
  if (version !== VERSION) throw new CorruptFrameIndex(`frame index of version ${version}, not ${VERSION}`)
  const firstDts = takeVarint(reader)
  if (firstDts >= 2 ** 33) throw new CorruptFrameIndex('the frame index starts beyond the 33-bit clock')
  const { sps, pps } = takeParameterSets(reader, unpacking)
  const video = unpackVideo(reader, unpacking)
  const hasAudio = takeVarint(reader)
  if (hasAudio > 1) throw new CorruptFrameIndex('the frame index has an unknown part')
  const audio = hasAudio === 1 ? unpackAudio(reader, unpacking) : null
  if (reader.at !== bytes.length) throw new CorruptFrameIndex('the frame index has bytes after its end')
  return { firstDts, sps, pps, video, audio }
}

function takeParameterSets(reader: Reader, unpacking: Unpacking): { sps: Buffer; pps: Buffer } {
  const [sps, pps] = [takeBytes(reader), takeBytes(reader)]
  const isKnown = sps.equals(unpacking.sps) && pps.equals(unpacking.pps)
  if (isKnown && pps.length > 0) return { sps: unpacking.sps, pps: unpacking.pps }
  if (!readPictureSize(sps) || pps.length === 0) throw new CorruptFrameIndex('the frame index has no parameter sets')
  // The bytes they were read from are not kept for them.
  Object.assign(unpacking, { sps: Buffer.from(sps), pps: Buffer.from(pps) })
  return { sps: unpacking.sps, pps: unpacking.pps }
}

/** Where room for so many numbers of 32 bits begins in `unpacking.memory`; they are 0. */
function takeMemory(unpacking: Unpacking, count: number): number {
  if (unpacking.used + 4 * count > unpacking.memory.byteLength) {
    unpacking.memory = new ArrayBuffer(Math.max(unpacking.memoryBytes, 4 * count))
    unpacking.used = 0
  }
  unpacking.used += 4 * count
  return unpacking.used - 4 * count
}

/** Bytes of all pictures: where the sound begins in the sample file. */
export function videoBytes(index: FrameIndex): number {
  return sumSizes(index.video.sizes)
}

export function sampleFileBytes(index: FrameIndex): number {
  return sumSizes(index.video.sizes) + (index.audio ? sumSizes(index.audio.sizes) : 0)
}

/** Bytes of the frames `[from, to)`: of all, unless it is said. */
export function sumSizes(sizes: Uint32Array, from = 0, to = sizes.length): number {
  let total = 0
  for (let i = from; i < to; i += 1) total += sizes[i]!
  return total
}

function packVideo(out: number[], { sizes, dts, pts, keys }: FrameIndex['video']): void {
  putVarint(out, sizes.length)
  for (const size of sizes) putVarint(out, size)
  putDifferences(out, keys)
  let step = 0
  for (let i = 1; i < dts.length; i += 1) {
    const next = dts[i]! - dts[i - 1]!
    putSigned(out, next - step)
    step = next
  }
  const palette = new Map<number, number>()
  for (let i = 0; i < pts.length; i += 1) {
    const offset = pts[i]! - dts[i]!
    if (!palette.has(offset)) palette.set(offset, palette.size)
  }
  putVarint(out, palette.size)
  for (const offset of palette.keys()) putSigned(out, offset)
  for (let i = 0; i < pts.length; i += 1) putVarint(out, palette.get(pts[i]! - dts[i]!)!)
}

function unpackVideo(reader: Reader, unpacking: Unpacking): FrameIndex['video'] {
  const count = takeCount(reader)
  const at = takeMemory(unpacking, 3 * count)
  const { memory } = unpacking
  const sizes = takeSizes(reader, new Uint32Array(memory, at, count))
  const keys = takeDifferences(reader, count)
  if (keys[0] !== 0) throw new CorruptFrameIndex('the frame index does not begin with a keyframe')
  const dts = new Int32Array(memory, at + 4 * count, count)
  let step = 0
  for (let i = 1; i < count; i += 1) {
    step += takeSigned(reader)
    if (step <= 0) throw new CorruptFrameIndex('the frame index runs backwards')
    dts[i] = int32(dts[i - 1]! + step)
  }
  const palette: number[] = []
  for (let i = takeCount(reader); i > 0; i -= 1) palette.push(takeSigned(reader))
  const pts = new Int32Array(memory, at + 8 * count, count)
  for (let i = 0; i < count; i += 1) {
    const offset = palette[takeVarint(reader)]
    if (offset === undefined) throw new CorruptFrameIndex('the frame index names an unknown pts offset')
    pts[i] = int32(dts[i]! + offset)
  }
  return { sizes, dts, pts, keys }
}

function packAudio(out: number[], { config, sizes, anchors }: AudioIndex): void {
  putVarint(out, config)
  putVarint(out, sizes.length)
  for (const size of sizes) putVarint(out, size)
  putDifferences(
    out,
    anchors.map((anchor) => anchor.frame),
  )
  for (const anchor of anchors) putSigned(out, anchor.pts)
}

function unpackAudio(reader: Reader, unpacking: Unpacking): AudioIndex {
  const config = takeVarint(reader)
  if (config > 0xffff || !readAudioConfig(config)) throw new CorruptFrameIndex('the frame index has unknown sound')
  const count = takeCount(reader)
  const at = takeMemory(unpacking, count)
  const sizes = takeSizes(reader, new Uint32Array(unpacking.memory, at, count))
  const frames = takeDifferences(reader, count)
  if (frames[0] !== 0) throw new CorruptFrameIndex('the frame index has sound without a time')
  return { config, sizes, anchors: frames.map((frame) => ({ frame, pts: int32(takeSigned(reader)) })) }
}

function takeSizes(reader: Reader, sizes: Uint32Array): Uint32Array {
  if (sizes.length === 0) throw new CorruptFrameIndex('the frame index has no frames')
  for (let i = 0; i < sizes.length; i += 1) {
    const size = takeVarint(reader)
    if (size === 0 || size > 0x7fffffff) throw new CorruptFrameIndex('the frame index has a frame of impossible size')
    sizes[i] = size
  }
  return sizes
}

/** Rising frame numbers. */
function putDifferences(out: number[], frames: number[]): void {
  putVarint(out, frames.length)
  let before = -1
  for (const frame of frames) {
    putVarint(out, frame - before - 1)
    before = frame
  }
}

function takeDifferences(reader: Reader, count: number): number[] {
  const frames: number[] = []
  let before = -1
  for (let i = takeCount(reader); i > 0; i -= 1) {
    before += 1 + takeVarint(reader)
    if (before >= count) throw new CorruptFrameIndex('the frame index names a frame that is not there')
    frames.push(before)
  }
  return frames
}

function int32(value: number): number {
  if ((value | 0) !== value) throw new CorruptFrameIndex('the frame index holds a time beyond hours')
  return value
}
