/** A transport stream muxer of its own, for bytes that neither egress nor ffmpeg writes. */

export type Unit = { pts: number; dts: number; payload: Buffer; audio?: boolean }

const VIDEO = 0x41
const AUDIO = 0x42
const PMT = 0x20

/** Tables, then the units one after another, lengths as PES headers have them for small ones. */
export function muxTs(units: Unit[]): Buffer {
  const counters = new Map<number, number>()
  const packets = [
    ...packetize(0, Buffer.concat([Buffer.from([0]), section(0, Buffer.from([0, 1, 0xe0, PMT]))]), counters),
    ...packetize(PMT, Buffer.concat([Buffer.from([0]), section(2, programMap())]), counters),
  ]
  for (const unit of units) packets.push(...packetize(unit.audio ? AUDIO : VIDEO, pes(unit), counters))
  return Buffer.concat(packets)
}

function programMap(): Buffer {
  return Buffer.from([0xe0, VIDEO, 0xf0, 0, 0x1b, 0xe0, VIDEO, 0xf0, 0, 0x0f, 0xe0, AUDIO, 0xf0, 0])
}

/** ISO/IEC 13818-1, 2.4.4; nobody here checks the CRC. */
function section(table: number, content: Buffer): Buffer {
  const head = Buffer.from([table, 0xb0, 5 + content.length + 4, 0, 1, 0xc1, 0, 0])
  return Buffer.concat([head, content, Buffer.alloc(4)])
}

function pes({ pts, dts, payload, audio }: Unit): Buffer {
  const head = Buffer.from([0, 0, 1, audio ? 0xc0 : 0xe0, 0, 0, 0x80, 0xc0, 10])
  head.writeUInt16BE(3 + 10 + payload.length, 4)
  return Buffer.concat([head, timestamp(3, pts), timestamp(1, dts), payload])
}

function timestamp(prefix: number, ticks: number): Buffer {
  const high = Math.floor(ticks / 2 ** 30) % 8
  const middle = Math.floor(ticks / 2 ** 15) % 2 ** 15
  const low = ticks % 2 ** 15
  return Buffer.from([(prefix << 4) | (high << 1) | 1, middle >> 7, (middle << 1) | 1, low >> 7, (low << 1) | 1])
}

function packetize(pid: number, bytes: Buffer, counters: Map<number, number>): Buffer[] {
  const packets: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const counter = counters.get(pid) ?? 0
    counters.set(pid, (counter + 1) & 15)
    const left = bytes.length - at
    const packet = Buffer.alloc(188, 0xff)
    packet.set([0x47, (at === 0 ? 0x40 : 0) | (pid >> 8), pid & 0xff, 0x10 | counter])
    const filling = Math.max(0, 184 - left)
    if (filling > 0) {
      packet[3]! |= 0x20
      packet[4] = filling - 1
      if (filling > 1) packet[5] = 0
    }
    bytes.copy(packet, 4 + filling, at, at + 184 - filling)
    at += 184 - filling
    packets.push(packet)
  }
  return packets
}
