/** A box parser of its own, which believes nothing: every rule that it knows of ISO/IEC 14496-12 is checked. */

type Box = { type: string; body: Buffer; at: number; children: Box[] }

const CONTAINERS = new Set(['moov', 'trak', 'edts', 'mdia', 'minf', 'dinf', 'stbl', 'mvex', 'moof', 'traf'])

/** Parses a whole file; throws at the first thing that is not as it must be. */
export function parseBoxes(bytes: Buffer, base = 0): Box[] {
  const boxes: Box[] = []
  let at = 0
  while (at < bytes.length) {
    if (at + 8 > bytes.length) throw new Error('a box header is cut')
    let size = bytes.readUInt32BE(at)
    const type = bytes.toString('latin1', at + 4, at + 8)
    const header = size === 1 ? 16 : 8
    if (size === 1) size = Number(bytes.readBigUInt64BE(at + 8))
    if (!/^[a-zA-Z0-9 ]{4}$/.test(type)) throw new Error(`odd box type ${JSON.stringify(type)}`)
    if (size < header || at + size > bytes.length) throw new Error(`${type} does not fit: ${size}`)
    const body = bytes.subarray(at + header, at + size)
    const children = CONTAINERS.has(type) ? parseBoxes(body, base + at + header) : []
    boxes.push({ type, body, at: base + at + header, children })
    at += size
  }
  return boxes
}

export function find(boxes: Box[], path: string): Box {
  const [type, ...rest] = path.split('.')
  const box = boxes.find((candidate) => candidate.type === type)
  if (!box) throw new Error(`${path} is missing`)
  return rest.length === 0 ? box : find(box.children, rest.join('.'))
}

export type Track = {
  handler: string
  timescale: number
  /** Where in the media the movie begins. */
  mediaTime: number
  samples: { offset: number; size: number; dts: number; pts: number; key: boolean }[]
}

/** Checks a progressive file from end to end and gives its samples. */
export function checkMp4(file: Buffer): Track[] {
  const top = parseBoxes(file)
  if (top.map((box) => box.type).join(' ') !== 'ftyp moov mdat') throw new Error('not ftyp, moov, mdat')
  const mdat = find(top, 'mdat')
  const moov = find(top, 'moov')
  const duration = Number(find(moov.children, 'mvhd').body.readBigUInt64BE(24))
  const tracks = moov.children.filter((box) => box.type === 'trak').map((trak) => checkTrack(trak, duration))
  const ranges = tracks.flatMap((track) => track.samples.map(({ offset, size }) => [offset, offset + size] as const))
  let at = mdat.at
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    if (from !== at) throw new Error(`bytes ${at} to ${from} belong to no sample, or to two`)
    at = to
  }
  if (at !== mdat.at + mdat.body.length) throw new Error('the samples do not fill mdat')
  for (const track of tracks) if (track.handler === 'vide') checkNalLengths(file, track)
  return tracks
}

function checkTrack(trak: Box, movieDuration: number): Track {
  const stbl = find(trak.children, 'mdia.minf.stbl')
  const mdhd = find(trak.children, 'mdia.mdhd').body
  const timescale = mdhd.readUInt32BE(20)
  const elst = find(trak.children, 'edts.elst').body
  const sizes = table(find(stbl.children, 'stsz').body, 8, 1)
  const steps = expand(table(find(stbl.children, 'stts').body, 4, 2))
  const ctts = stbl.children.find((box) => box.type === 'ctts')
  const offsets = ctts ? expand(table(ctts.body, 4, 2)).map((value) => value | 0) : steps.map(() => 0)
  if (ctts && ctts.body[0] === 0 && offsets.some((offset) => offset < 0))
    throw new Error('a negative offset in version 0')
  if (sizes.length !== steps.length || sizes.length !== offsets.length) throw new Error('tables of different length')
  if (steps.some((step) => step <= 0)) throw new Error('decode times do not rise')
  if (steps.reduce((sum, step) => sum + step, 0) !== Number(mdhd.readBigUInt64BE(24))) throw new Error('mdhd is wrong')
  if (elst.readUInt32BE(4) !== 1 || Number(elst.readBigUInt64BE(8)) !== movieDuration) throw new Error('edit is wrong')
  const mediaTime = Number(elst.readBigUInt64BE(16))
  const mediaEnd = mediaTime + (movieDuration * timescale) / 90000
  const stss = stbl.children.find((box) => box.type === 'stss')
  const keys = stss ? new Set(table(stss.body, 4, 1).map(([key]) => key! - 1)) : null
  const places = samplePlaces(stbl, sizes.flat())
  let dts = 0
  const samples = sizes.map(([size], i) => {
    const sample = { offset: places[i]!, size: size!, dts, pts: dts + offsets[i]!, key: keys?.has(i) ?? true }
    dts += steps[i]!
    return sample
  })
  if (!samples[0]!.key) throw new Error('the first sample is not a keyframe')
  if (dts + Math.min(...offsets) < mediaEnd - 1) throw new Error('the edit is longer than the media')
  return { handler: find(trak.children, 'mdia.hdlr').body.toString('latin1', 8, 12), timescale, mediaTime, samples }
}

function samplePlaces(stbl: Box, sizes: number[]): number[] {
  const wide = stbl.children.find((box) => box.type === 'co64')
  const chunks = wide
    ? table(wide.body, 4, 2).map(([high, low]) => high! * 2 ** 32 + low!)
    : table(find(stbl.children, 'stco').body, 4, 1).flat()
  const runs = table(find(stbl.children, 'stsc').body, 4, 3)
  const places: number[] = []
  for (const [i, offset] of chunks.entries()) {
    const run = runs.findLast(([first]) => first! <= i + 1)
    if (!run || run[2] !== 1) throw new Error('a chunk without an entry')
    for (let k = 0, at = offset; k < run[1]!; k += 1) {
      places.push(at)
      at += sizes[places.length - 1] ?? Number.NaN
    }
  }
  if (places.length !== sizes.length) throw new Error('chunks and samples do not match')
  return places
}

function checkNalLengths(file: Buffer, { samples }: Track): void {
  for (const { offset, size, key } of samples) {
    const types: number[] = []
    let at = offset
    while (at < offset + size) {
      const length = file.readUInt32BE(at)
      types.push(file[at + 4]! & 31)
      at += 4 + length
    }
    if (at !== offset + size) throw new Error('NAL units do not fill their sample')
    if (types.includes(9) || types.includes(12)) throw new Error('a delimiter or filler is left')
    if (types.includes(5) !== key) throw new Error('stss and pictures disagree')
  }
}

function table(body: Buffer, countAt: number, columns: number): number[][] {
  const count = body.readUInt32BE(countAt)
  if (body.length !== countAt + 4 + count * columns * 4) throw new Error('a table has the wrong size')
  const value = (i: number, column: number) => body.readUInt32BE(countAt + 4 + (i * columns + column) * 4)
  return Array.from({ length: count }, (_, i) => Array.from({ length: columns }, (__, column) => value(i, column)))
}

function expand(runs: number[][]): number[] {
  return runs.flatMap(([count, value]) => Array.from({ length: count! }, () => value!))
}
