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
export function createTsSplitter(hasAudio: boolean, onSegment: (segment: EncodedSegment) => void) {
  let rest: Buffer = Buffer.alloc(0)
  let current: OpenSegment | undefined
  let previous: OpenSegment | undefined
  const target = new Map<number, OpenSegment | undefined>()
  const tables = new Map([
    [PID.pat, patPacket()],
    [PID.pmt, pmtPacket(hasAudio)],
  ])

  function take(packet: Buffer): void {
    const pid = packet.readUInt16BE(1) & 0x1fff
    const table = tables.get(pid)
    if (table && current) add(current, pid, Buffer.from(table))
    if (pid !== PID.video && pid !== PID.audio) return
    if ((packet[1] ?? 0) & 0x40) target.set(pid, pid === PID.video ? pictureTarget(packet) : soundTarget(packet))
    const segment = target.get(pid)
    if (segment) add(segment, pid, Buffer.from(packet))
  }

  function pictureTarget(packet: Buffer): OpenSegment | undefined {
    const pts = readPts(packet) ?? 0
    if (isKeyframe(packet)) {
      closePrevious()
      previous = current
      current = { start: pts, last: pts, packets: [], counters: new Map() }
      for (const [pid, table] of tables) add(current, pid, Buffer.from(table))
      if (!hasAudio) closePrevious()
    }
    if (current) current.last = Math.max(current.last, pts)
    return current
  }

  function soundTarget(packet: Buffer): OpenSegment | undefined {
    const pts = readPts(packet) ?? 0
    // The encoder's priming lies before the timeline; egress has nothing there either.
    if (pts < PTS_ORIGIN_SECONDS) return undefined
    if (current && pts >= current.start) {
      closePrevious()
      return current
    }
    return previous ?? current
  }

  function closePrevious(): void {
    if (previous) close(previous)
    previous = undefined
  }

  function close(segment: OpenSegment): void {
    onSegment({
      bytes: Buffer.concat(segment.packets),
      startSeconds: segment.start - PTS_ORIGIN_SECONDS,
      lastFrameSeconds: segment.last - PTS_ORIGIN_SECONDS,
    })
  }

  return {
    push: (chunk: Buffer) => {
      rest = rest.length ? Buffer.concat([rest, chunk]) : chunk
      while (rest.length >= PACKET) {
        take(rest.subarray(0, PACKET))
        rest = rest.subarray(PACKET)
      }
    },
    end: () => {
      closePrevious()
      if (current) close(current)
      current = undefined
    },
  }
}

function add(segment: OpenSegment, pid: number, packet: Buffer): void {
  const hasPayload = ((packet[3] ?? 0) & 0x10) !== 0
  const before = segment.counters.get(pid) ?? -1
  const counter = (hasPayload ? before + 1 : Math.max(before, 0)) & 0x0f
  segment.counters.set(pid, counter)
  packet[3] = ((packet[3] ?? 0) & 0xf0) | counter
  segment.packets.push(packet)
}
