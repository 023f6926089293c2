import { crc32 } from './crc.ts'

/** The transport stream as egress's muxer lays it out. */
export const PID = { pat: 0, sdt: 0x11, pmt: 0x20, video: 0x41, audio: 0x42 }
export const PACKET = 188

/** The two tables, each in a packet of its own: one program, H.264 with the registration "HDMV", AAC where there is sound. */
export function patPacket(): Buffer {
  return tablePacket(PID.pat, section(0x00, Buffer.from([0x00, 0x01, 0xe0 | (PID.pmt >> 8), PID.pmt & 0xff])))
}

export function pmtPacket(hasAudio: boolean): Buffer {
  const hdmv = Buffer.from([0x05, 0x08, 0x48, 0x44, 0x4d, 0x56, 0xff, 0x1b, 0x44, 0x3f])
  const body = [Buffer.from([0xe0 | (PID.video >> 8), PID.video & 0xff, 0xf0, 0x00]), stream(0x1b, PID.video, hdmv)]
  if (hasAudio) body.push(stream(0x0f, PID.audio, Buffer.alloc(0)))
  return tablePacket(PID.pmt, section(0x02, Buffer.concat(body)))
}

function stream(type: number, pid: number, descriptors: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, 0xe0 | (pid >> 8), pid & 0xff, 0xf0, descriptors.length]), descriptors])
}

function section(tableId: number, body: Buffer): Buffer {
  const length = 5 + body.length + 4
  const head = Buffer.from([tableId, 0xb0 | (length >> 8), length & 0xff, 0x00, 0x01, 0xc1, 0x00, 0x00])
  const whole = Buffer.concat([head, body, Buffer.alloc(4)])
  whole.writeUInt32BE(crc32(whole.subarray(0, -4)), whole.length - 4)
  return whole
}

function tablePacket(pid: number, table: Buffer): Buffer {
  const packet = Buffer.alloc(PACKET, 0xff)
  packet.set([0x47, 0x40 | (pid >> 8), pid & 0xff, 0x10, 0x00])
  table.copy(packet, 5)
  return packet
}

/** The PTS of the PES packet that begins here, in seconds. */
export function readPts(packet: Buffer): number | undefined {
  const pes = 4 + (hasAdaptation(packet) ? 1 + (packet[4] ?? 0) : 0)
  if (pes + 14 > PACKET || packet.readUIntBE(pes, 3) !== 1 || !((packet[pes + 7] ?? 0) & 0x80)) return undefined
  const high = ((packet[pes + 9] ?? 0) >> 1) & 0x07
  const middle = packet.readUInt16BE(pes + 10) >> 1
  const low = packet.readUInt16BE(pes + 12) >> 1
  return (high * 2 ** 30 + middle * 2 ** 15 + low) / 90_000
}

export function isKeyframe(packet: Buffer): boolean {
  return hasAdaptation(packet) && (packet[4] ?? 0) > 0 && ((packet[5] ?? 0) & 0x40) !== 0
}

function hasAdaptation(packet: Buffer): boolean {
  return ((packet[3] ?? 0) & 0x20) !== 0
}
