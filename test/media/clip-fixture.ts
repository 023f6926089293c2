/** Makes clips as the service does, and looks at them as ffmpeg and a strict reader do. */
import { createHash } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { type ClipCut, cutClip } from '../../src/media/clip-cut.ts'
import type { Span } from '../../src/media/cut-video.ts'
import { buildMp4, type Mp4File } from '../../src/media/mp4-file.ts'
import { writeVirtualFile } from '../../src/media/write-virtual-file.ts'
import { decodedFrames, type Frame } from './oracle.ts'
import { checkMp4 } from './strict-boxes.ts'

export type Clip = { cut: ClipCut; file: Mp4File; path: string }

export async function makeClip(directory: string, spans: Span[]): Promise<Clip> {
  const cut = cutClip(spans)
  const file = buildMp4(cut)
  const path = join(directory, `clip-${Math.random().toString(36).slice(2)}.mp4`)
  const { bytes } = await writeVirtualFile(file, path, (key) => open(key))
  expect(bytes).to.equal(file.size)
  checkMp4(await readFile(path))
  return { cut, file, path }
}

/** The source's pictures in `[fromTicks, toTicks)`, timed from `fromTicks`; `origin` is tick 0 on the source's clock. */
export function within(source: Frame[], fromTicks: number, toTicks: number, origin = 3600 * 90000): Frame[] {
  return source
    .map(({ pts, md5 }) => ({ pts: pts - origin - fromTicks, md5 }))
    .filter(({ pts }) => pts >= 0 && pts < toTicks - fromTicks)
}

/**
 * The clip's sound is the source's: of each span a contiguous run of its packets, each less than 12 ms from its place
 * (half a packet), and silence only where the source has none. Gives how many packets of silence there are.
 */
export async function expectSound({ cut, path }: Clip, source: Frame[], origin = 3600 * 90000): Promise<number> {
  const bytes = await readFile(path)
  const track = checkMp4(bytes).find(({ handler }) => handler === 'soun')!
  const { timescale, mediaTime, samples } = track
  const packet = (1024 * 90000) / timescale
  const begins = cut.spans.map((_, i) =>
    cut.spans.slice(0, i).reduce((sum, { fromTicks, toTicks }) => sum + toTicks - fromTicks, 0),
  )
  let silent = 0
  let last = { span: -1, packet: -1 }
  for (const { offset, size, dts } of samples) {
    const at = ((dts - mediaTime) * 90000) / timescale
    const span = Math.max(
      0,
      begins.findLastIndex((begin) => begin <= at),
    )
    const time = origin + cut.spans[span]!.fromTicks + at - begins[span]!
    const nearest = source.findIndex(({ pts }) => Math.abs(pts - time) <= packet / 2)
    if (nearest < 0) silent += 1
    else {
      const md5 = createHash('md5')
        .update(bytes.subarray(offset, offset + size))
        .digest('hex')
      expect(md5, `the sound at ${at / 90} ms`).to.equal(source[nearest]!.md5)
      if (last.span === span && last.packet >= 0) expect(nearest).to.equal(last.packet + 1)
    }
    last = { span, packet: nearest }
  }
  const [first, final] = [samples[0]!, samples.at(-1)!]
  expect(first.dts, 'sound before the first picture').to.be.at.most(mediaTime)
  expect(final.dts + 1024 - mediaTime).to.be.at.least((cut.durationTicks * timescale) / 90000 - 1)
  return silent
}

/** A clip of one span shows exactly the source's pictures, each at its time. */
export async function expectExact({ cut, file, path }: Clip, source: Frame[]): Promise<void> {
  const { fromTicks, toTicks } = cut.spans[0]!
  const frames = await decodedFrames(path)
  expect(frames).to.deep.equal(within(source, fromTicks, toTicks))
  expect(file.frameCount).to.equal(frames.length)
  expect(file.durationTicks).to.equal(toTicks - fromTicks)
}
