/**
 * Reads back the index of a clip that `mp4-file.ts` wrote, so that its playlist still works when its segments are gone.
 * Strict: anything that this project does not write is refused with `CorruptMp4`. Sections: see `mp4-boxes.ts`.
 */
import { FRAME_SAMPLES, readAudioConfig } from './aac.ts'
import type { AudioTrack, Chunk, Edit, Tracks, VideoTrack } from './tracks.ts'

export class CorruptMp4 extends Error {
  override name = 'CorruptMp4'
}

/** `mediaStart`: the length of the file's head, where the ranges of its fragments count from. */
export type ReadMp4 = Tracks & { mediaStart: number }

/** How many bytes from the start of the file `readMp4` wants, found in its first 64; the headers of `mdat` included. */
export function mp4HeadBytes(start: Buffer): number {
  const ftyp = boxAt(start, 0, 'ftyp')
  if (start.length < ftyp.end + 8) throw new CorruptMp4('not a clip of ours: its index does not come first')
  return ftyp.end + start.readUInt32BE(ftyp.end) + 16
}

export function readMp4(head: Buffer): ReadMp4 {
  const moov = boxAt(head, boxAt(head, 0, 'ftyp').end, 'moov')
  const mdat = boxAt(head, moov.end, 'mdat')
  const content = children(moov.body)
  const traks = content.filter(({ type }) => type === 'trak').map(({ body }) => readTrak(body))
  const video = traks.find(({ type }) => type === 'vide')
  const audio = traks.find(({ type }) => type === 'soun')
  if (!video) throw new CorruptMp4('a clip without pictures')
  const durationTicks = uint64At(only(content, 'mvhd'), 24)
  return {
    video: readVideo(video),
    audio: audio ? readAudio(audio) : null,
    chunks: inFileOrder(video, audio),
    durationTicks,
    mediaStart: mdat.begin,
  }
}

type Box = { type: string; body: Buffer; begin: number; end: number }

type Trak = {
  type: string
  edit: Edit
  stbl: Box[]
  entry: Box
  offsets: number[]
  perChunk: number[]
  sizes: Uint32Array
}

function boxAt(bytes: Buffer, at: number, type?: string): Box {
  if (at + 8 > bytes.length) throw new CorruptMp4('the index ends early')
  const found = bytes.toString('latin1', at + 4, at + 8)
  if (type !== undefined && found !== type) throw new CorruptMp4(`${found} where ${type} should be`)
  const size = bytes.readUInt32BE(at)
  const begin = at + (size === 1 ? 16 : 8)
  if (found === 'mdat') return { type: found, body: bytes.subarray(begin), begin, end: Infinity }
  if (size < 8 || at + size > bytes.length) throw new CorruptMp4(`${found} does not fit`)
  return { type: found, body: bytes.subarray(begin, at + size), begin, end: at + size }
}

function children(bytes: Buffer): Box[] {
  const boxes: Box[] = []
  for (let at = 0; at < bytes.length; at = boxes.at(-1)!.end) boxes.push(boxAt(bytes, at))
  return boxes
}

function only(boxes: Box[], type: string): Buffer {
  const found = boxes.find((box) => box.type === type)
  if (!found) throw new CorruptMp4(`${type} is missing`)
  return found.body
}

function readTrak(bytes: Buffer): Trak {
  const trak = children(bytes)
  const mdia = children(only(trak, 'mdia'))
  const stbl = children(only(children(only(mdia, 'minf')), 'stbl'))
  const elst = only(children(only(trak, 'edts')), 'elst')
  const entry = boxAt(only(stbl, 'stsd'), 8)
  const wide = stbl.some((box) => box.type === 'co64')
  const stco = only(stbl, wide ? 'co64' : 'stco')
  const step = wide ? 8 : 4
  const offsets = Array.from(entries(stco, 4, step), (at) => (wide ? uint64At(stco, at) : stco.readUInt32BE(at)))
  const stsz = only(stbl, 'stsz')
  const sizes = Uint32Array.from(entries(stsz, 8, 4), (at) => stsz.readUInt32BE(at))
  const perChunk = readChunkSizes(only(stbl, 'stsc'), offsets.length)
  if (sum(perChunk) !== sizes.length) throw new CorruptMp4('samples and chunks do not match')
  const edit = { duration: uint64At(elst, 8), mediaTime: uint64At(elst, 16) }
  const type = only(mdia, 'hdlr').toString('latin1', 8, 12)
  return { type, edit, stbl, entry, offsets, perChunk, sizes }
}

/** The places of a table's entries; `countAt` is where their number stands. */
function entries(table: Buffer, countAt: number, step: number): number[] {
  if (table.length < countAt + 4) throw new CorruptMp4('a table ends early')
  const count = table.readUInt32BE(countAt)
  if (table.length !== countAt + 4 + count * step) throw new CorruptMp4('a table does not have the size it says')
  return Array.from({ length: count }, (_, i) => countAt + 4 + i * step)
}

function readChunkSizes(stsc: Buffer, count: number): number[] {
  const perChunk: number[] = []
  const places = entries(stsc, 4, 12)
  for (const [i, at] of places.entries()) {
    const next = places[i + 1]
    const end = next === undefined ? count : stsc.readUInt32BE(next) - 1
    if (end > count) throw new CorruptMp4('samples and chunks do not match')
    while (perChunk.length < end) perChunk.push(stsc.readUInt32BE(at + 4))
  }
  return perChunk
}

function readVideo({ entry, stbl, sizes, edit }: Trak): VideoTrack {
  const inBand = entry.type === 'avc3'
  if (!inBand && entry.type !== 'avc1') throw new CorruptMp4(`pictures in ${entry.type}`)
  const size = { width: uint16At(entry.body, 24), height: uint16At(entry.body, 26) }
  const avcC = boxAt(entry.body, 78, 'avcC').body
  const spsBytes = uint16At(avcC, 6)
  const sps = Buffer.from(avcC.subarray(8, 8 + spsBytes))
  const pps = Buffer.from(avcC.subarray(11 + spsBytes, 11 + spsBytes + uint16At(avcC, 9 + spsBytes)))
  const steps = readRuns(only(stbl, 'stts'), sizes.length)
  const hasOffsets = stbl.some((box) => box.type === 'ctts')
  const offsets = hasOffsets ? readRuns(only(stbl, 'ctts'), sizes.length) : new Float64Array(sizes.length)
  const dts = new Float64Array(sizes.length)
  for (let i = 1; i < dts.length; i += 1) dts[i] = dts[i - 1]! + steps[i - 1]!
  const pts = dts.map((time, i) => time + offsets[i]!)
  const stss = only(stbl, 'stss')
  const keys = entries(stss, 4, 4).map((at) => stss.readUInt32BE(at) - 1)
  return { ...size, sps, pps, inBand, sizes, dts, pts, keys, lastDuration: steps.at(-1)!, edit }
}

function readAudio({ entry, stbl, sizes, edit }: Trak): AudioTrack {
  const esds = boxAt(entry.body, 28, 'esds').body
  // The AudioSpecificConfig is where `mp4-boxes.ts` puts it.
  const config = uint16At(esds, 4 + 2 + 3 + 2 + 13 + 2)
  const steps = readRuns(only(stbl, 'stts'), sizes.length)
  if (!readAudioConfig(config) || steps.some((step) => step !== FRAME_SAMPLES)) throw new CorruptMp4('unknown sound')
  return { config, sizes, edit }
}

function readRuns(table: Buffer, length: number): Float64Array {
  const values = new Float64Array(length)
  let at = 0
  for (const entry of entries(table, 4, 8)) {
    const count = table.readUInt32BE(entry)
    if (at + count > length) throw new CorruptMp4('a table is longer than the track')
    values.fill(table.readInt32BE(entry + 4), at, at + count)
    at += count
  }
  if (at !== length || length === 0) throw new CorruptMp4('a table is shorter than the track')
  return values
}

function inFileOrder(video: Trak, audio: Trak | undefined): Chunk[] {
  const placed = [...placeChunks(video, 'video'), ...(audio ? placeChunks(audio, 'audio') : [])]
  return placed.toSorted((a, b) => a.offset - b.offset).map(({ chunk }) => chunk)
}

function placeChunks({ offsets, perChunk, sizes }: Trak, track: Chunk['track']): { offset: number; chunk: Chunk }[] {
  let sample = 0
  return offsets.map((offset, i) => {
    const samples = perChunk[i]!
    const bytes = sum(sizes.subarray(sample, sample + samples))
    sample += samples
    return { offset, chunk: { track, samples, bytes } }
  })
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}

function uint16At(bytes: Buffer, at: number): number {
  if (at + 2 > bytes.length) throw new CorruptMp4('a box ends early')
  return bytes.readUInt16BE(at)
}

function uint64At(bytes: Buffer, at: number): number {
  if (at + 8 > bytes.length) throw new CorruptMp4('a box ends early')
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
}
