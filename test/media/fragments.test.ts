import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import type { ClipCut } from '../../src/media/clip-cut.ts'
import {
  clipFragments,
  type Fragment,
  initSegment,
  segmentConfig,
  segmentFragment,
} from '../../src/media/fragmented-mp4.ts'
import type { Tracks } from '../../src/media/tracks.ts'
import { CorruptMp4, mp4HeadBytes, readMp4 } from '../../src/media/mp4-read.ts'
import { makeClip, within } from './clip-fixture.ts'
import { landSegments, makeSegments, PARTICIPANT, readSegments, type Recording, useDirectory } from './material.ts'
import { audioPackets, decodedFrames, type Frame, joinSegments } from './oracle.ts'
import { parseBoxes } from './strict-boxes.ts'

const SECOND = 90000

function allFragments(tracks: Tracks): Fragment[] {
  const { durations, fragment } = clipFragments(tracks)
  return durations.map((_, number) => fragment(number)!)
}

describe('fragments', () => {
  const directory = useDirectory()
  let recorded: Recording
  let made: Recording
  let source: Frame[]

  before(async () => {
    recorded = await landSegments((await readSegments(PARTICIPANT)).slice(0, 8), directory())
    made = await landSegments(await makeSegments(directory(), { seconds: 8, fps: 60 }), directory())
    source = await decodedFrames(await joinSegments(directory(), made.ts))
  })

  async function joinFragments(cut: ClipCut, file: Buffer, mediaStart: number): Promise<string> {
    const fragments = allFragments(cut)
    const parts = [initSegment(cut.video, cut.audio?.config ?? null)]
    for (const { head, offset, length } of fragments)
      parts.push(head, file.subarray(mediaStart + offset, mediaStart + offset + length))
    const path = join(directory(), `fragments-${Math.random().toString(36).slice(2)}.mp4`)
    await writeFile(path, Buffer.concat(parts))
    parseBoxes(Buffer.concat(parts))
    return path
  }

  it('of a clip show its pictures, and those before its begin a tick each', async () => {
    const spans = [{ segments: made.segments, fromTicks: SECOND, toTicks: 6.5 * SECOND }]
    const clip = await makeClip(directory(), spans)
    const { durations, startOffsetSeconds } = clipFragments(clip.cut)
    expect(durations).to.deep.equal([SECOND, 2 * SECOND, 2 * SECOND, 0.5 * SECOND])
    expect(startOffsetSeconds).to.be.closeTo(60 / 90000 + 0.75 / 60, 1e-6)
    const frames = await decodedFrames(await joinFragments(clip.cut, await readFile(clip.path), clip.file.head.length))
    const first = frames[60]!.pts
    const shown = frames.slice(60).map(({ pts, md5 }) => ({ pts: pts - first, md5 }))
    const wanted = within(source, SECOND, 6.5 * SECOND)
    expect(shown.slice(0, wanted.length)).to.deep.equal(wanted)
    expect(first - frames[0]!.pts).to.equal(60)
  })

  it('of a clip of a single picture show it, also if pictures before it are decoded after it', async () => {
    for (const picture of [0, 1, 2, 3, 4, 5]) {
      const fromTicks = made.segments[0]!.fromTicks + (picture * SECOND) / 60
      const clip = await makeClip(directory(), [{ segments: made.segments, fromTicks, toTicks: fromTicks + 1500 }])
      const path = await joinFragments(clip.cut, await readFile(clip.path), clip.file.head.length)
      const shown = (await decodedFrames(path)).map(({ md5 }) => md5)
      expect(shown, `picture ${picture}`).to.include(source[picture]!.md5)
    }
  })

  it('need nothing but the file at rest', async () => {
    const spans = [{ segments: recorded.segments, fromTicks: 5.2 * SECOND, toTicks: 12 * SECOND }]
    const clip = await makeClip(directory(), spans)
    const file = await readFile(clip.path)
    const { mediaStart, ...tracks } = readMp4(file.subarray(0, mp4HeadBytes(file.subarray(0, 64))))
    expect(mediaStart).to.equal(clip.file.head.length)
    expect(allFragments(tracks)).to.deep.equal(allFragments(clip.cut))
    expect(clipFragments(tracks).startOffsetSeconds).to.equal(clipFragments(clip.cut).startOffsetSeconds)
    expect(initSegment(tracks.video, tracks.audio!.config)).to.deep.equal(
      initSegment(clip.cut.video, clip.cut.audio!.config),
    )
  })

  it('of a live buffer show every picture of its segments, at their distances', async () => {
    const config = segmentConfig(made.segments[0]!)
    const parts = [initSegment(config.video, config.audioConfig)]
    for (const segment of made.segments) parts.push(segmentFragment(segment).head, await readFile(segment.key))
    const path = join(directory(), 'live.mp4')
    await writeFile(path, Buffer.concat(parts))
    parseBoxes(Buffer.concat(parts))
    const frames = await decodedFrames(path)
    const wanted = within(source, 0, 8 * SECOND)
    expect(frames.map(({ pts, md5 }) => ({ pts: pts - frames[0]!.pts, md5 }))).to.deep.equal(wanted)
    expect(await audioPackets(path)).to.deep.equal(await audioPackets(await joinSegments(directory(), made.ts)))
  })

  it('are refused for a file that is not a clip of ours', async () => {
    const spans = [{ segments: recorded.segments, fromTicks: 0, toTicks: 2 * SECOND }]
    const { file } = await makeClip(directory(), spans)
    expect(() => readMp4(Buffer.alloc(100))).to.throw(CorruptMp4)
    for (let length = 0; length < file.head.length - 8; length += 1)
      expect(() => readMp4(file.head.subarray(0, length))).to.throw(CorruptMp4)
  })
})
