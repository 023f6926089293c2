import { crc16 } from './crc.ts'
import { decodeAudio, decodeVideo } from './decode.ts'

/**
 * The clock in the picture. In 1280x720, scaled for other sizes: three rows of 48 cells of 24x32 px from x = 64,
 * white is 1, most significant bit first.
 *
 * - y 16: UNIX time in ms; y 48: its complement;
 * - y 80: 24-bit sequence, 8-bit source id, CRC-16/CCITT-FALSE over time, sequence and id.
 *
 * And a beep of 100 ms from each full second, whose pitch tells the second's last digit.
 */
const CELLS = 48
const ROWS = 3
const FORM = { width: 1280, height: 720, left: 64, top: 16, cellWidth: 24, cellHeight: 32 }
const WHITE = 235
const BLACK = 16

export type Moment = { wallMs: number; sequence: number; sourceId: number }

/** Draws the clock into the luma plane of a picture. */
export function drawClock(luma: Uint8Array, size: { width: number; height: number }, moment: Moment): void {
  const { width } = size
  const x = (at: number) => Math.round(((FORM.left + at * FORM.cellWidth) * size.width) / FORM.width)
  const y = (at: number) => Math.round(((FORM.top + at * FORM.cellHeight) * size.height) / FORM.height)
  for (const [row, bits] of clockRows(moment).entries()) {
    const line = y(row) * width
    for (let cell = 0; cell < CELLS; cell++) {
      const lit = (bits >> BigInt(CELLS - 1 - cell)) & 1n
      luma.fill(lit ? WHITE : BLACK, line + x(cell), line + x(cell + 1))
    }
    for (let below = y(row) + 1; below < y(row + 1); below++) {
      luma.copyWithin(below * width + x(0), line + x(0), line + x(CELLS))
    }
  }
}

function clockRows({ wallMs, sequence, sourceId }: Moment): [bigint, bigint, bigint] {
  const time = BigInt(wallMs)
  const tag = (BigInt(sequence & 0xffffff) << 8n) | BigInt(sourceId & 0xff)
  return [time, ~time & ((1n << 48n) - 1n), (tag << 16n) | BigInt(checksum(time, tag))]
}

function checksum(time: bigint, tag: bigint): number {
  const bytes = Buffer.alloc(10)
  bytes.writeUIntBE(Number(time), 0, 6)
  bytes.writeUInt32BE(Number(tag), 6)
  return crc16(bytes)
}

/** One frame of a file. `wallMs`, `sequence` and `sourceId` are null where no valid clock is to be seen (black). */
export type ClockFrame = {
  index: number
  ptsSeconds: number
  wallMs: number | null
  sequence: number | null
  sourceId: number | null
}

// Each cell is scaled to CELL x CELL pixels, of which the middle 2x2 decide.
const CELL = 6

/** Reads the clock of every frame of anything that ffmpeg opens, at any size, letterboxed or not. */
export async function readPictureClock(ffmpegPath: string, file: string): Promise<ClockFrame[]> {
  const { width, height, left, top, cellWidth, cellHeight } = FORM
  const filter = [
    'extractplanes=y',
    String.raw`crop=min(iw\,ih*16/9):min(ih\,iw*9/16):exact=1`,
    `crop=iw*${cellWidth * CELLS}/${width}:ih*${cellHeight * ROWS}/${height}` +
      `:iw*${left}/${width}:ih*${top}/${height}:exact=1`,
    `scale=${CELLS * CELL}:${ROWS * CELL}:flags=area`,
    'format=gray',
  ].join(',')
  const frames = await decodeVideo(ffmpegPath, file, filter, CELLS * CELL * ROWS * CELL, readCells)
  return frames.map(({ ptsSeconds, value: { wallMs, sequence, sourceId } }, index) => {
    return { index, ptsSeconds, wallMs, sequence, sourceId }
  })
}

function readCells(gray: Uint8Array): Pick<ClockFrame, keyof Moment> {
  const [time, complement, tagAndCrc] = [readRow(gray, 0), readRow(gray, 1), readRow(gray, 2)]
  const tag = tagAndCrc >> 16n
  const valid = (time ^ complement) === (1n << 48n) - 1n && checksum(time, tag) === Number(tagAndCrc & 0xffffn)
  if (!valid) return { wallMs: null, sequence: null, sourceId: null }
  return { wallMs: Number(time), sequence: Number(tag >> 8n), sourceId: Number(tag & 0xffn) }
}

function readRow(gray: Uint8Array, row: number): bigint {
  const stride = CELLS * CELL
  let bits = 0n
  for (let cell = 0; cell < CELLS; cell++) {
    const at = (row * CELL + CELL / 2) * stride + cell * CELL + CELL / 2
    const sum = [at, at - 1, at - stride, at - stride - 1].reduce((total, i) => total + (gray[i] ?? 0), 0)
    bits = (bits << 1n) | (sum > 512 ? 1n : 0n)
  }
  return bits
}

export type Beep = { ptsSeconds: number; secondMod10: number }

const BEEP_RATE = 16_000
const LOUD = 2000
const ONSET = 1000

/** Finds every beep of a file, and the last digit of the second it began in. */
export async function readBeeps(ffmpegPath: string, file: string): Promise<Beep[]> {
  const blocks = await decodeAudio(ffmpegPath, file, BEEP_RATE)
  const beeps: Beep[] = []
  let quiet = Infinity
  let open: { ptsSeconds: number; samples: number[] } | undefined
  for (const { ptsSeconds, samples } of blocks) {
    for (const [i, sample] of samples.entries()) {
      const level = Math.abs(sample)
      if (level > ONSET && quiet > BEEP_RATE / 10) open = { ptsSeconds: ptsSeconds + i / BEEP_RATE, samples: [] }
      quiet = level > ONSET ? 0 : quiet + 1
      if (!open) continue
      open.samples.push(sample)
      if (open.samples.length < BEEP_RATE * 0.09) continue
      if (open.samples.some((one) => Math.abs(one) > LOUD)) {
        beeps.push({ ptsSeconds: open.ptsSeconds, secondMod10: secondOfPitch(open.samples) })
      }
      open = undefined
    }
  }
  return beeps
}

/** 600 Hz and 100 Hz more for each second, counted by rising zero crossings. */
function secondOfPitch(samples: number[]): number {
  const crossings: number[] = []
  for (let i = BEEP_RATE * 0.01 + 1; i < samples.length; i++) {
    const [before = 0, after = 0] = [samples[i - 1], samples[i]]
    if (before < 0 && after >= 0) crossings.push(i - 1 - before / (after - before))
  }
  const [first = 0, last = 0] = [crossings[0], crossings.at(-1)]
  const hz = ((crossings.length - 1) * BEEP_RATE) / (last - first)
  return (Math.round((hz - 600) / 100) + 10) % 10
}
