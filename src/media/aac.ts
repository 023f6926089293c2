/** AAC as egress writes it: ADTS frames in the segment, bare frames and an AudioSpecificConfig in the MP4. */

/** Samples in one AAC-LC frame (ISO/IEC 14496-3, 4.5.1.1). */
export const FRAME_SAMPLES = 1024

/** ISO/IEC 14496-3, table 1.18. */
const RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350] as const

export type AdtsFrame = { start: number; end: number; config: number }

export type AudioConfig = { objectType: number; sampleRate: number; channels: number }

/** Reads the ADTS header at `at` (ISO/IEC 14496-3, 1.A.2.2); null when there is none. `end` may lie beyond the bytes. */
export function readAdtsFrame(bytes: Uint8Array, at: number): AdtsFrame | null {
  if (at + 7 > bytes.length || bytes[at] !== 0xff || (bytes[at + 1]! & 0xf6) !== 0xf0) return null
  const header = (bytes[at + 1]! & 1) === 1 ? 7 : 9
  const objectType = (bytes[at + 2]! >> 6) + 1
  const rateIndex = (bytes[at + 2]! >> 2) & 0x0f
  const channels = ((bytes[at + 2]! & 1) << 2) | (bytes[at + 3]! >> 6)
  const length = ((bytes[at + 3]! & 3) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5)
  const blocks = bytes[at + 6]! & 3
  if (rateIndex >= RATES.length || channels === 0 || blocks !== 0 || length <= header) return null
  // AudioSpecificConfig, ISO/IEC 14496-3, 1.6.2.1: type (5), rate (4), channels (4), three zero bits.
  return { start: at + header, end: at + length, config: (objectType << 11) | (rateIndex << 7) | (channels << 3) }
}

export function readAudioConfig(config: number): AudioConfig | null {
  const sampleRate = RATES[(config >> 7) & 0x0f]
  const channels = (config >> 3) & 0x0f
  if (sampleRate === undefined || channels === 0 || channels > 7) return null
  return { objectType: config >> 11, sampleRate, channels }
}

/** Syntactic elements of each channel configuration (ISO/IEC 14496-3, table 1.19): single 0, pair 1, low frequency 3. */
const ELEMENTS = [[], [0], [1], [0, 1], [0, 1, 0], [0, 1, 1], [0, 1, 1, 3], [0, 1, 1, 1, 3]] as const

/**
 * One frame of silence (ISO/IEC 14496-3, 4.4.2): each channel with a gain of zero and no bands at all. 7 bytes for
 * stereo.
 */
export function silentFrame(channels: number): Buffer {
  const channel = '0'.repeat(8 + 11 + 3)
  const used = new Map<number, number>()
  let bits = ''
  for (const element of ELEMENTS[channels] ?? ELEMENTS[2]) {
    const tag = used.get(element) ?? 0
    used.set(element, tag + 1)
    bits += element.toString(2).padStart(3, '0') + tag.toString(2).padStart(4, '0')
    bits += element === 1 ? `0${channel}${channel}` : channel
  }
  bits += '111'
  const bytes = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0').match(/.{8}/g) ?? []
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)))
}
