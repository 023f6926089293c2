/** Makes clips as the service does, and looks at them as ffmpeg and a strict reader do. */
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

/** A clip of one span shows exactly the source's pictures, each at its time. */
export async function expectExact({ cut, file, path }: Clip, source: Frame[]): Promise<void> {
  const { fromTicks, toTicks } = cut.spans[0]!
  const frames = await decodedFrames(path)
  expect(frames).to.deep.equal(within(source, fromTicks, toTicks))
  expect(file.frameCount).to.equal(frames.length)
  expect(file.durationTicks).to.equal(toTicks - fromTicks)
}
