import { drawClock, type Moment } from './picture-clock.ts'

/**
 * The shared screen: a quiet picture, as real shares are, with the machine-readable clock above, the time of day for
 * people, and a bar that moves. yuv420p, drawn once and then only touched where it changes.
 */
export type Picture = { width: number; height: number; draw: (moment: Moment) => Buffer; black: () => Buffer }

// 3x5 dots a digit, one row an octal digit.
const GLYPHS: Record<string, string> = {
  '0': '75557',
  '1': '26227',
  '2': '71747',
  '3': '71717',
  '4': '55711',
  '5': '74717',
  '6': '74757',
  '7': '71222',
  '8': '75757',
  '9': '75717',
  ':': '02020',
  '.': '00002',
  '#': '57575',
  ' ': '00000',
}

const LIGHT = 180
const DARK = 40

export function createPicture(width: number, height: number): Picture {
  const size = { width, height }
  const pixels = width * height
  const base = Buffer.alloc(pixels + 2 * chromaSize(size))
  const blackFrame = Buffer.alloc(base.length, 128).fill(16, 0, pixels)
  paintBackground(base, size)

  return {
    width,
    height,
    black: () => blackFrame,
    draw: (moment) => {
      drawClock(base, size, moment)
      const time = new Date(moment.wallMs).toISOString().slice(11, 21)
      drawText(base, size, { text: time, x: 0.18, y: 0.35, dot: Math.max(1, Math.round(width / 64)) })
      drawText(base, size, { text: `#${moment.sourceId}`, x: 0.18, y: 0.6, dot: Math.max(1, Math.round(width / 160)) })
      drawBar(base, size, moment.wallMs)
      return Buffer.from(base)
    },
  }
}

function chromaSize({ width, height }: Size): number {
  return Math.ceil(width / 2) * Math.ceil(height / 2)
}

type Size = { width: number; height: number }

function paintBackground(frame: Buffer, size: Size): void {
  const { width, height } = size
  for (let y = 0; y < height; y++) {
    frame.fill(Math.round(DARK + (y / height) * 20), y * width, (y + 1) * width)
  }
  const chroma = chromaSize(size)
  frame.fill(140, width * height, width * height + chroma)
  frame.fill(120, width * height + chroma, width * height + 2 * chroma)
}

function drawText(luma: Buffer, size: Size, at: { text: string; x: number; y: number; dot: number }): void {
  const left = Math.round(at.x * size.width)
  const top = Math.round(at.y * size.height)
  for (const [i, sign] of at.text.split('').entries()) {
    for (const [row, bits] of (GLYPHS[sign] ?? '').split('').entries()) {
      for (let column = 0; column < 3; column++) {
        const lit = (Number(bits) >> (2 - column)) & 1
        const x = left + (i * 4 + column) * at.dot
        drawBox(luma, size, { x, y: top + row * at.dot, width: at.dot, height: at.dot, level: lit ? LIGHT : DARK })
      }
    }
  }
}

/** Crosses the picture once in ten seconds. */
function drawBar(luma: Buffer, size: Size, wallMs: number): void {
  const height = Math.max(2, Math.round(size.height / 40))
  const y = size.height - 2 * height
  drawBox(luma, size, { x: 0, y, width: size.width, height, level: DARK })
  const x = Math.round(((wallMs % 10_000) / 10_000) * size.width)
  drawBox(luma, size, { x, y, width: Math.round(size.width / 20), height, level: LIGHT })
}

function drawBox(luma: Buffer, size: Size, box: Size & { x: number; y: number; level: number }): void {
  const to = Math.min(size.width, box.x + box.width)
  for (let y = box.y; y < Math.min(size.height, box.y + box.height); y++) {
    if (to > box.x) luma.fill(box.level, y * size.width + box.x, y * size.width + to)
  }
}
