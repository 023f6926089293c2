/**
 * The transport stream layer: which packets carry picture and sound, and the PES units they add up to.
 *
 * - A unit is whole or it is not there: a cut one at the end of the file is dropped, a hole anywhere else refuses the
 *   segment. Nothing is ever made up.
 * - The tables are looked for first, then the packets are read from the very first one: a muxer may write sound ahead
 *   of PAT and PMT.
 */

/** ISO/IEC 13818-1, 2.4.3.2. */
const PACKET = 188
const SYNC = 0x47
const PAT_PID = 0

/** ISO/IEC 13818-1, table 2-34. */
const H264 = 0x1b
const AAC_ADTS = 0x0f

export type Program = { videoPid: number; audioPid: number | null }

/** All units of one stream, end to end: `starts[i]` is where the payload of the i-th begins, `ends[i]` where it ends. */
export type Units = {
  bytes: Uint8Array
  starts: number[]
  ends: number[]
  /** 33-bit, 90 kHz, as in the file; -1 when the unit says nothing. */
  pts: number[]
  dts: number[]
  cut: boolean
}

export type ProgramUnits = { video: Units; audio: Units | null }

/** Finds the first program with an H.264 stream. */
export function findProgram(file: Uint8Array): Program | string {
  if (file.length < PACKET) return 'shorter than one packet'
  const pmtPids = new Set<number>()
  for (let at = 0; at + PACKET <= file.length; at += PACKET) {
    if (file[at] !== SYNC) return 'not a transport stream'
    const pid = pidAt(file, at)
    if (pid !== PAT_PID && !pmtPids.has(pid)) continue
    const section = sectionIn(file, at)
    if (!section) continue
    if (pid === PAT_PID) for (const pmtPid of programsIn(section)) pmtPids.add(pmtPid)
    else {
      const program = streamsIn(section)
      if (program) return program
    }
  }
  return pmtPids.size === 0 ? 'no program table' : 'no H.264 stream'
}

/**
 * Collects the units of a program. `whole` says that the file is known to be complete, so that its last unit may end
 * with the file even if it does not say how long it is.
 */
export function collectUnits(file: Uint8Array, program: Program, whole: boolean): ProgramUnits | string {
  const video = startStream(file.length)
  const audio = program.audioPid === null ? null : startStream(file.length >> 2)
  let last: Stream | null = null
  for (let at = 0; at + PACKET <= file.length; at += PACKET) {
    if (file[at] !== SYNC) return 'lost the packet grid'
    const pid = pidAt(file, at)
    const stream = pid === program.videoPid ? video : pid === program.audioPid ? audio : null
    if (!stream) continue
    const problem = takePacket(stream, file, at)
    if (problem) return problem
    last = stream
  }
  const trusted = whole && file.length % PACKET === 0
  const problem = finish(video, trusted || last !== video) ?? (audio && finish(audio, trusted || last !== audio))
  if (problem) return problem
  return { video: unitsOf(video), audio: audio && unitsOf(audio) }
}

type Stream = Units & {
  at: number
  counter: number
  /** Bytes that the open unit announced, Infinity when it did not say (large pictures). */
  announced: number
  /** The open unit's last packet was stuffed, which a muxer does only at a unit's end. */
  stuffed: boolean
}

function startStream(capacity: number): Stream {
  const bytes = Buffer.allocUnsafe(capacity)
  const empty = { starts: [], ends: [], pts: [], dts: [], cut: false }
  return { bytes, ...empty, at: 0, counter: -1, announced: Infinity, stuffed: false }
}

function unitsOf(stream: Stream): Units {
  const { starts, ends, pts, dts, cut } = stream
  return { bytes: stream.bytes.subarray(0, stream.at), starts, ends, pts, dts, cut }
}

function takePacket(stream: Stream, file: Uint8Array, at: number): string | null {
  const control = file[at + 3]!
  if ((control & 0x10) === 0) return null
  if ((file[at + 1]! & 0x80) !== 0) return 'a packet is marked as damaged'
  if ((control & 0xc0) !== 0) return 'scrambled'
  const stuffing = (control & 0x20) === 0 ? 0 : 1 + file[at + 4]!
  const begin = at + 4 + stuffing
  if (begin > at + PACKET) return 'a packet is damaged'

  const counter = control & 0x0f
  if (counter === stream.counter) return null // ISO/IEC 13818-1, 2.4.3.3: a packet may be sent twice
  const jump = stuffing > 1 && (file[at + 5]! & 0x80) !== 0
  if (stream.counter >= 0 && counter !== ((stream.counter + 1) & 0x0f) && !jump) return 'a packet is missing'
  stream.counter = counter

  let payload = begin
  if ((file[at + 1]! & 0x40) !== 0) {
    const problem = closeUnit(stream)
    if (problem) return problem
    payload = openUnit(stream, file, begin, at + PACKET)
    if (payload < 0) return 'a unit has no readable header'
  } else if (stream.starts.length === 0) return null
  append(stream, file, payload, at + PACKET)
  stream.stuffed = stuffing > 0 && isStuffed(file, at + 4)
  return null
}

function append(stream: Stream, file: Uint8Array, from: number, to: number): void {
  if (stream.at + to - from > stream.bytes.length) {
    const larger = Buffer.allocUnsafe(file.length)
    larger.set(stream.bytes.subarray(0, stream.at))
    stream.bytes = larger
  }
  stream.bytes.set(file.subarray(from, to), stream.at)
  stream.at += to - from
}

/** Reads a PES header (ISO/IEC 13818-1, 2.4.3.6); gives the place of its payload, or -1. */
function openUnit(stream: Stream, file: Uint8Array, at: number, end: number): number {
  if (at + 9 > end || file[at] !== 0 || file[at + 1] !== 0 || file[at + 2] !== 1) return -1
  const length = (file[at + 4]! << 8) | file[at + 5]!
  const flags = file[at + 7]! >> 6
  const header = file[at + 8]!
  const payload = at + 9 + header
  if (payload > end || header < (flags === 3 ? 10 : flags === 2 ? 5 : 0)) return -1
  if (length !== 0 && length < 3 + header) return -1
  const pts = flags >= 2 ? timestampAt(file, at + 9) : -1
  stream.pts.push(pts)
  stream.dts.push(flags === 3 ? timestampAt(file, at + 14) : pts)
  stream.starts.push(stream.at)
  stream.announced = length === 0 ? Infinity : length - 3 - header
  return payload
}

function closeUnit(stream: Stream): string | null {
  if (stream.starts.length === stream.ends.length) return null
  const got = stream.at - stream.starts.at(-1)!
  if (stream.announced !== Infinity && got < stream.announced) return 'a unit ends early'
  if (got > stream.announced) return 'a unit is longer than it says'
  stream.ends.push(stream.at)
  return null
}

/**
 * Whether an adaptation field (ISO/IEC 13818-1, 2.4.3.4) fills up its packet. In doubt (rare fields) it does not; a
 * field with a PCR and no more is no filling.
 */
function isStuffed(file: Uint8Array, field: number): boolean {
  const length = file[field]!
  const flags = file[field + 1]!
  if (length === 0 || flags === 0) return true
  return (flags & 0x0f) === 0 && length > ((flags & 0x10) === 0 ? 1 : 7)
}

/** Closes the last unit, or drops it when the end of the file may have cut it. */
function finish(stream: Stream, trusted: boolean): string | null {
  if (stream.starts.length === stream.ends.length) return null
  const start = stream.starts.at(-1)!
  const whole = stream.announced === Infinity ? trusted || stream.stuffed : stream.at - start >= stream.announced
  if (whole) return closeUnit(stream)
  stream.starts.pop()
  stream.pts.pop()
  stream.dts.pop()
  stream.at = start
  stream.cut = true
  return null
}

function timestampAt(file: Uint8Array, at: number): number {
  const high = (file[at]! >> 1) & 7
  const middle = (file[at + 1]! << 7) | (file[at + 2]! >> 1)
  const low = (file[at + 3]! << 7) | (file[at + 4]! >> 1)
  return high * 2 ** 30 + middle * 2 ** 15 + low
}

function pidAt(file: Uint8Array, at: number): number {
  return ((file[at + 1]! & 0x1f) << 8) | file[at + 2]!
}

/** The table section that begins in a packet, if all of it lies there (egress's tables are far shorter). */
function sectionIn(file: Uint8Array, at: number): Uint8Array | null {
  const control = file[at + 3]!
  if ((file[at + 1]! & 0x40) === 0 || (control & 0x10) === 0) return null
  let begin = at + 4 + ((control & 0x20) === 0 ? 0 : 1 + file[at + 4]!)
  const end = at + PACKET
  if (begin >= end) return null
  begin += 1 + file[begin]!
  if (begin + 3 > end) return null
  const length = 3 + (((file[begin + 1]! & 0x0f) << 8) | file[begin + 2]!)
  return begin + length > end ? null : file.subarray(begin, begin + length)
}

/** ISO/IEC 13818-1, 2.4.4.3: the PMT pids of a program association section. */
function programsIn(section: Uint8Array): number[] {
  const pids: number[] = []
  if (section[0] !== 0) return pids
  for (let at = 8; at + 4 <= section.length - 4; at += 4) {
    const program = (section[at]! << 8) | section[at + 1]!
    if (program !== 0) pids.push(((section[at + 2]! & 0x1f) << 8) | section[at + 3]!)
  }
  return pids
}

/** ISO/IEC 13818-1, 2.4.4.8: the streams of a program map section. */
function streamsIn(section: Uint8Array): Program | null {
  if (section[0] !== 2 || section.length < 16) return null
  let videoPid: number | null = null
  let audioPid: number | null = null
  let at = 12 + (((section[10]! & 0x0f) << 8) | section[11]!)
  while (at + 5 <= section.length - 4) {
    const pid = ((section[at + 1]! & 0x1f) << 8) | section[at + 2]!
    if (section[at] === H264) videoPid ??= pid
    if (section[at] === AAC_ADTS) audioPid ??= pid
    at += 5 + (((section[at + 3]! & 0x0f) << 8) | section[at + 4]!)
  }
  return videoPid === null ? null : { videoPid, audioPid }
}
