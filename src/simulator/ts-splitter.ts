import { isKeyframe, PACKET, patPacket, PID, pmtPacket, readPts } from './ts-tables.ts'

/** One closed piece: from a keyframe to the frame before the next one, with the sound of the same time. */
export type EncodedSegment = {
  bytes: Buffer
  /** Media time of the first and of the last frame, where 3600 s of PTS are 0. */
  startSeconds: number
  lastFrameSeconds: number
}

/** Egress's muxer begins its clock here. */
export const PTS_ORIGIN_SECONDS = 3600

type OpenSegment = { start: number; last: number; packets: Buffer[]; counters: Map<number, number> }

/**
 * Cuts one endless transport stream at its keyframes, as splitmuxsink does: tables and continuity counters begin anew in
 * each piece, timestamps run on. Sound belongs to the piece whose time it has, though it may come after the picture of
 * the next one; so a piece is closed when sound of the next one is seen.
 */
export type TsSplitter = {
  hasAudio: boolean
  onSegment: (segment: EncodedSegment) => void
  rest: Buffer
  current: OpenSegment | undefined
  previous: OpenSegment | undefined
  /** Where the packets of a stream go until its next PES packet begins. */
  target: Map<number, OpenSegment | undefined>
  tables: Map<number, Buffer>
}

export function createTsSplitter(hasAudio: boolean, onSegment: TsSplitter['onSegment']): TsSplitter {
  const tables = new Map([
    [PID.pat, patPacket()],
    [PID.pmt, pmtPacket(hasAudio)],
  ])
  const open = { current: undefined, previous: undefined, target: new Map() }
  return { hasAudio, onSegment, rest: Buffer.alloc(0), ...open, tables }
}

export function splitChunk(splitter: TsSplitter, chunk: Buffer): void {
  const bytes = splitter.rest.length ? Buffer.concat([splitter.rest, chunk]) : chunk
  const whole = bytes.length - (bytes.length % PACKET)
  for (let at = 0; at < whole; at += PACKET) take(splitter, bytes.subarray(at, at + PACKET))
  splitter.rest = bytes.subarray(whole)
}

export function endSplitter(splitter: TsSplitter): void {
  closePrevious(splitter)
  if (splitter.current) close(splitter, splitter.current)
  splitter.current = undefined
}

function take(splitter: TsSplitter, packet: Buffer): void {
  const { tables, target } = splitter
  const pid = packet.readUInt16BE(1) & 0x1fff
  const table = tables.get(pid)
  if (table && splitter.current) add(splitter.current, pid, Buffer.from(table))
  if (pid !== PID.video && pid !== PID.audio) return
  const startsPes = ((packet[1] ?? 0) & 0x40) !== 0
  if (startsPes) target.set(pid, pid === PID.video ? pictureTarget(splitter, packet) : soundTarget(splitter, packet))
  const segment = target.get(pid)
  if (segment) add(segment, pid, Buffer.from(packet))
}

function pictureTarget(splitter: TsSplitter, packet: Buffer): OpenSegment | undefined {
  const pts = readPts(packet) ?? 0
  if (isKeyframe(packet)) {
    closePrevious(splitter)
    splitter.previous = splitter.current
    splitter.current = { start: pts, last: pts, packets: [], counters: new Map() }
    for (const [pid, table] of splitter.tables) add(splitter.current, pid, Buffer.from(table))
    if (!splitter.hasAudio) closePrevious(splitter)
  }
  const { current } = splitter
  if (current) current.last = Math.max(current.last, pts)
  return current
}

function soundTarget(splitter: TsSplitter, packet: Buffer): OpenSegment | undefined {
  const pts = readPts(packet) ?? 0
  // The encoder's priming lies before the timeline; egress has nothing there either.
  if (pts < PTS_ORIGIN_SECONDS) return undefined
  const { current, previous } = splitter
  if (!current || pts < current.start) return previous ?? current
  closePrevious(splitter)
  return current
}

function closePrevious(splitter: TsSplitter): void {
  if (splitter.previous) close(splitter, splitter.previous)
  splitter.previous = undefined
}

function close({ onSegment }: TsSplitter, { packets, start, last }: OpenSegment): void {
  onSegment({
    bytes: Buffer.concat(packets),
    startSeconds: start - PTS_ORIGIN_SECONDS,
    lastFrameSeconds: last - PTS_ORIGIN_SECONDS,
  })
}

function add(segment: OpenSegment, pid: number, packet: Buffer): void {
  const hasPayload = ((packet[3] ?? 0) & 0x10) !== 0
  const before = segment.counters.get(pid) ?? -1
  const counter = (hasPayload ? before + 1 : Math.max(before, 0)) & 0x0f
  segment.counters.set(pid, counter)
  packet[3] = ((packet[3] ?? 0) & 0xf0) | counter
  segment.packets.push(packet)
}
