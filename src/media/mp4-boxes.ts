/** The boxes of an MP4, one function each. Sections are those of ISO/IEC 14496-12 unless said otherwise. */

const IDENTITY_MATRIX = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000]

/** 4.2: size, type, content. */
export function box(type: string, ...content: Buffer[]): Buffer {
  return Buffer.concat(container(type, ...content))
}

/** A box of boxes, in pieces: large tables are copied once, when all is joined. */
export function container(type: string, ...content: Buffer[]): Buffer[] {
  const header = Buffer.alloc(8)
  header.writeUInt32BE(header.length + bytesOf(content))
  header.write(type, 4, 'latin1')
  return [header, ...content]
}

export function bytesOf(pieces: Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}

export function fullBox(type: string, version: number, flags: number, ...content: Buffer[]): Buffer {
  return box(type, uint32(version * 2 ** 24 + flags), ...content)
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4)
  return bytes
}

export function uint16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  for (const [i, value] of values.entries()) bytes.writeUInt16BE(value, i * 2)
  return bytes
}

export function uint64(value: number): Buffer {
  return uint32(Math.floor(value / 2 ** 32), value % 2 ** 32)
}

/** 4.3 */
export function ftyp(major: string, ...compatible: string[]): Buffer {
  return box('ftyp', Buffer.from(major, 'latin1'), uint32(512), Buffer.from(compatible.join(''), 'latin1'))
}

/** 8.2.2, version 1: a clip may be longer than 32 bits of ticks (13 h). */
export function mvhd(timescale: number, duration: number, nextTrack: number): Buffer {
  const times = Buffer.concat([uint64(0), uint64(0), uint32(timescale), uint64(duration)])
  const rest = [uint32(0x10000), uint16(0x100, 0), uint32(0, 0), uint32(...IDENTITY_MATRIX), Buffer.alloc(24)]
  return fullBox('mvhd', 1, 0, times, ...rest, uint32(nextTrack))
}

/** 8.3.2; flags 3: enabled, in movie. */
export function tkhd(track: number, duration: number, sound: boolean, width: number, height: number): Buffer {
  const times = Buffer.concat([uint64(0), uint64(0), uint32(track, 0), uint64(duration)])
  const rest = [uint32(0, 0), uint16(0, 0, sound ? 0x100 : 0, 0), uint32(...IDENTITY_MATRIX)]
  return fullBox('tkhd', 1, 3, times, ...rest, uint32(width * 65536, height * 65536))
}

/** 8.6.6, version 1, one entry: duration in the movie's timescale, media time in the track's. */
export function elst(duration: number, mediaTime: number): Buffer {
  return fullBox('elst', 1, 0, uint32(1), uint64(duration), uint64(mediaTime), uint32(0x10000))
}

/** 8.4.2; 'und'. */
export function mdhd(timescale: number, duration: number): Buffer {
  return fullBox('mdhd', 1, 0, uint64(0), uint64(0), uint32(timescale), uint64(duration), uint16(0x55c4, 0))
}

/** 8.4.3 */
export function hdlr(type: 'vide' | 'soun'): Buffer {
  const name = Buffer.from(type === 'vide' ? 'Video\0' : 'Sound\0', 'latin1')
  return fullBox('hdlr', 0, 0, uint32(0), Buffer.from(type, 'latin1'), uint32(0, 0, 0), name)
}

/** 12.1.2 */
export function vmhd(): Buffer {
  return fullBox('vmhd', 0, 1, uint16(0, 0, 0, 0))
}

/** 12.2.2 */
export function smhd(): Buffer {
  return fullBox('smhd', 0, 0, uint16(0, 0))
}

/** 8.7.1, 8.7.2; flag 1: the samples are in this file. */
export function dinf(): Buffer {
  return box('dinf', fullBox('dref', 0, 0, uint32(1), fullBox('url ', 0, 1)))
}

/** 8.5.2 */
export function stsd(entry: Buffer): Buffer {
  return fullBox('stsd', 0, 0, uint32(1), entry)
}

/** 12.1.3, and ISO/IEC 14496-15, 5.4.2: `avc1` keeps its parameter sets in `avcC`, `avc3` may have them in samples. */
export function avcEntry(type: 'avc1' | 'avc3', width: number, height: number, sps: Buffer, pps: Buffer): Buffer {
  const head = [uint32(0), uint16(0, 1), Buffer.alloc(16), uint16(width, height), uint32(0x480000, 0x480000, 0)]
  return box(type, ...head, uint16(1), Buffer.alloc(32), uint16(0x18, 0xffff), avcC(sps, pps))
}

/** ISO/IEC 14496-15, 5.3.3.1, lengths of 4 bytes; the fields that high profiles add are optional and left out. */
function avcC(sps: Buffer, pps: Buffer): Buffer {
  const head = Buffer.from([1, sps[1] ?? 0, sps[2] ?? 0, sps[3] ?? 0, 0xff, 0xe1])
  return box('avcC', head, uint16(sps.length), sps, Buffer.from([1]), uint16(pps.length), pps)
}

/** 12.2.3, and ISO/IEC 14496-14, 5.6. */
export function mp4aEntry(sampleRate: number, channels: number, config: number): Buffer {
  const head = [uint32(0), uint16(0, 1), uint32(0, 0), uint16(channels, 16, 0, 0)]
  return box('mp4a', ...head, uint32(sampleRate * 65536), esds(config))
}

/**
 * ISO/IEC 14496-1, 7.2.6: elementary stream (3), decoder configuration (4: MPEG-4 audio 0x40, audio stream 0x15),
 * AudioSpecificConfig (5), sync layer (6: as MP4 files have it).
 */
function esds(config: number): Buffer {
  const specific = descriptor(5, uint16(config))
  const decoder = descriptor(4, Buffer.concat([Buffer.from([0x40, 0x15, 0, 0, 0]), uint32(0, 0), specific]))
  const stream = Buffer.concat([uint16(0), Buffer.from([0]), decoder, descriptor(6, Buffer.from([2]))])
  return fullBox('esds', 0, 0, descriptor(3, stream))
}

function descriptor(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag, content.length]), content])
}

/** 8.8.3: no defaults, fragments say everything. */
export function trex(track: number): Buffer {
  return fullBox('trex', 0, 0, uint32(track, 1, 0, 0, 0))
}

/** 8.1.1: the header alone, 16 bytes when 8 do not reach. */
export function mdatHeader(contentBytes: number): Buffer {
  const size = contentBytes + 8
  if (size < 2 ** 32) return Buffer.concat([uint32(size), Buffer.from('mdat', 'latin1')])
  return Buffer.concat([uint32(1), Buffer.from('mdat', 'latin1'), uint64(contentBytes + 16)])
}
