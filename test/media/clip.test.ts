import { expect } from 'chai'
import type { Span } from '../../src/media/cut-video.ts'
import type { PlacedSegment } from '../../src/media/timeline.ts'
import { findBreaks } from '../../src/media/timeline.ts'
import { expectExact, expectSound, makeClip, within } from './clip-fixture.ts'
import {
  landSegments,
  makeSegments,
  PARTICIPANT,
  readSegments,
  type Recording,
  type Synthetic,
  TRACK_COMPOSITE,
  useDirectory,
} from './material.ts'
import { audioPackets, decodedFrames, type Frame, joinSegments, soundFrames } from './oracle.ts'

const SECOND = 90000

type Source = Recording & { frames: Frame[]; sound: Frame[]; joined: string }

describe('a clip', () => {
  const directory = useDirectory()
  let participant: Source
  let synthetic: Source

  before(async function () {
    this.timeout(60_000)
    participant = await asSource(await readSegments(PARTICIPANT))
    synthetic = await made({ seconds: 8, fps: 60 })
  })

  async function asSource(files: Buffer[]): Promise<Source> {
    const recording = await landSegments(files, directory())
    const joined = await joinSegments(directory(), recording.ts)
    const sound = recording.segments.some(({ frameIndex }) => frameIndex.audio) ? await soundFrames(joined) : []
    return { ...recording, joined, sound, frames: await decodedFrames(joined) }
  }

  /** LiveKit's own segments without some of them: each begins with a keyframe, so the others show what they showed. */
  async function participantWithout(...missing: number[]): Promise<Source> {
    const recording = await landSegments(await readSegments(PARTICIPANT), directory(), missing)
    const joined = await joinSegments(directory(), recording.ts)
    const isLeft = ({ pts }: Frame) => !missing.includes(Math.floor((pts - 3600 * SECOND) / (2 * SECOND)))
    return { ...recording, joined, sound: await soundFrames(joined), frames: participant.frames.filter(isLeft) }
  }

  async function made(options: Synthetic): Promise<Source> {
    return asSource(await makeSegments(directory(), options))
  }

  it('begins and ends on every picture around a keyframe', async function () {
    this.timeout(60_000)
    const key = synthetic.segments[1]!.fromTicks
    const step = 1500
    for (let i = -7; i <= 7; i += 1) {
      const spans = [span(synthetic.segments, key + i * step, key + 2.5 * SECOND)]
      const until = [span(synthetic.segments, key - SECOND, key + i * step)]
      for (const clip of [await makeClip(directory(), spans), await makeClip(directory(), until)]) {
        await expectExact(clip, synthetic.frames)
        expect(await expectSound(clip, synthetic.sound)).to.equal(0)
      }
    }
  })

  it('can be a single picture, at any place in its group', async () => {
    for (const at of [0, 1, 2, 59, 119, 120, 121]) {
      const fromTicks = synthetic.segments[0]!.fromTicks + at * 1500
      const clip = await makeClip(directory(), [span(synthetic.segments, fromTicks, fromTicks + 1500)])
      expect(clip.file.frameCount).to.equal(1)
      await expectExact(clip, synthetic.frames)
      expect(await expectSound(clip, synthetic.sound)).to.equal(0)
    }
  })

  it('shows what was on screen at an instant between two pictures', async () => {
    const fromTicks = synthetic.segments[0]!.fromTicks + 10 * 1500 + 700
    const clip = await makeClip(directory(), [span(synthetic.segments, fromTicks, fromTicks + SECOND)])
    expect(clip.cut.spans[0]!.fromTicks).to.equal(fromTicks - 700)
    await expectExact(clip, synthetic.frames)
  })

  it("of LiveKit's own segments shows the source's pictures from end to end", async () => {
    const { segments, frames } = participant
    const clip = await makeClip(directory(), [span(segments, 10.1 * SECOND, 15.37 * SECOND)])
    await expectExact(clip, frames)
    const all = await makeClip(directory(), [span(segments, 0, segments.at(-1)!.toTicks)])
    await expectExact(all, frames)
    for (const one of [clip, all]) expect(await expectSound(one, participant.sound)).to.equal(0)
  })

  it('reads each whole segment in its middle as one range', async () => {
    const clip = await makeClip(directory(), [span(participant.segments, 20.5 * SECOND, 39.5 * SECOND)])
    const ranges = clip.file.parts.filter((part) => 'key' in part)
    for (const { key } of participant.segments.slice(11, 19))
      expect(ranges.filter((range) => range.key === key)).to.have.length(1)
    expect(clip.file.parts.filter((part) => 'bytes' in part)).to.have.length(0)
  })

  it("has a contiguous run of the source's sound, beginning before its first picture", async () => {
    const clip = await makeClip(directory(), [span(participant.segments, 10 * SECOND, 14 * SECOND)])
    const wanted = await audioPackets(participant.joined)
    const found = await audioPackets(clip.path)
    const start = wanted.findIndex((_, i) => found.every((md5, k) => wanted[i + k] === md5))
    expect(start).to.be.greaterThan(0)
    expect(found.length * 1024).to.be.within(4 * 44100, 4 * 44100 + 4 * 1024)
    expect(clip.file.parts[0]).to.have.property('key', participant.segments[4]!.key)
  })

  it('has no sound track when none was recorded', async () => {
    const source = await asSource(await readSegments(TRACK_COMPOSITE))
    const clip = await makeClip(directory(), [span(source.segments, 3 * SECOND, 9 * SECOND)])
    expect(clip.cut.audio).to.equal(null)
    await expectExact(clip, source.frames)
  })

  it('is silent until sound begins, and has it in its place', async () => {
    const source = await made({ seconds: 6, audio: 'atrim=start=2.7' })
    const clip = await makeClip(directory(), [span(source.segments, 0, 6 * SECOND)])
    await expectExact(clip, source.frames)
    const found = await audioPackets(clip.path)
    const first = found.indexOf((await audioPackets(source.joined))[0]!)
    const { edit } = clip.cut.audio!
    const heard = (first * 1024 - edit.mediaTime) / 44100
    const anchor = source.segments.find((segment) => segment.frameIndex.audio)!
    expect(heard).to.be.closeTo((anchor.offset + anchor.frameIndex.audio!.anchors[0]!.pts) / SECOND, 0.0001)
    expect(new Set(found.slice(0, first)).size).to.equal(1)
    expect(await expectSound(clip, source.sound)).to.equal(first)
  })

  it('can begin before the first picture of a recording that begins with sound', async () => {
    const source = await made({ seconds: 6, video: 'trim=start=0.5' })
    const clip = await makeClip(directory(), [span(source.segments, 0, 5 * SECOND)])
    expect(clip.cut.spans[0]!.fromTicks).to.equal(source.segments[0]!.fromTicks)
    await expectExact(clip, source.frames)
    expect(await expectSound(clip, source.sound)).to.equal(0)
  })

  it('goes over the turn of the 33-bit clock', async () => {
    const startSeconds = 2 ** 33 / SECOND - 3
    const source = await made({ seconds: 8, startSeconds })
    const [first] = source.segments
    const clip = await makeClip(directory(), [
      span(source.segments, first!.fromTicks + SECOND, first!.fromTicks + 6 * SECOND),
    ])
    expect(clip.file.durationTicks).to.equal(5 * SECOND)
    const frames = await decodedFrames(clip.path)
    expect(frames.map((frame) => frame.md5)).to.deep.equal(source.frames.slice(30, 180).map((frame) => frame.md5))
    expect(frames.map((frame) => frame.pts)).to.deep.equal(frames.map((_, i) => i * 3000))
    expect(await expectSound(clip, source.sound)).to.equal(0)
  })

  it('jumps over a missing segment: sound and picture together, as long as what it covers', async () => {
    const source = await participantWithout(8, 9)
    const [gap] = findBreaks(source.segments).gaps
    expect(gap).to.deep.equal({ fromTicks: 16 * SECOND, toTicks: 20 * SECOND })
    const spans = [span(source.segments, 13 * SECOND, gap!.fromTicks), span(source.segments, gap!.toTicks, 22 * SECOND)]
    const clip = await makeClip(directory(), spans)
    expect(clip.file.durationTicks).to.equal(5 * SECOND)
    const frames = await decodedFrames(clip.path)
    const after = within(source.frames, gap!.toTicks, 22 * SECOND).map(({ pts, md5 }) => ({
      pts: pts + 3 * SECOND,
      md5,
    }))
    expect(frames).to.deep.equal([...within(source.frames, 13 * SECOND, gap!.fromTicks), ...after])
    expect(clip.file.frameCount).to.equal(frames.length)
    expect(clip.cut.audio!.sizes.length * 1024).to.be.within(5 * 44100, 5 * 44100 + 4 * 1024)
    expect(await expectSound(clip, source.sound)).to.equal(0)
  })

  it('fills a missing segment with the held picture and silence when asked to keep its time', async () => {
    const source = await participantWithout(8)
    const clip = await makeClip(directory(), [span(source.segments, 15 * SECOND, 19 * SECOND)])
    await expectExact(clip, source.frames)
    expect(clip.file.parts.filter((part) => 'bytes' in part)).to.have.length(1)
    expect(clip.cut.audio!.sizes.length * 1024).to.be.within(4 * 44100, 4 * 44100 + 4 * 1024)
    expect(await expectSound(clip, source.sound)).to.be.within(85, 87)
  })

  it('holds a picture through a hole, also when it begins or ends inside of it', async () => {
    const source = await made({ seconds: 8, video: "select='not(between(t,2.6,4.5))'" })
    const [hole] = findBreaks(source.segments).holes
    expect(hole!.toTicks - hole!.fromTicks).to.be.closeTo(1.9 * SECOND, 4000)
    const { segments, frames } = source
    await expectExact(await makeClip(directory(), [span(segments, SECOND, 7 * SECOND)]), frames)
    await expectExact(await makeClip(directory(), [span(segments, 2 * SECOND, 4 * SECOND)]), frames)

    const inside = await makeClip(directory(), [span(segments, 3.5 * SECOND, 5 * SECOND)])
    expect(inside.cut.spans).to.deep.equal([{ fromTicks: 3.5 * SECOND, toTicks: 5 * SECOND }])
    const held = frames.findLast((frame) => frame.pts - 3600 * SECOND < hole!.fromTicks)!
    const wanted = [{ pts: 0, md5: held.md5 }, ...within(frames, 3.5 * SECOND, 5 * SECOND)]
    expect(await decodedFrames(inside.path)).to.deep.equal(wanted)
    expect(await expectSound(inside, source.sound)).to.equal(0)
  })

  it('joins two recordings of different size', async () => {
    const other = await made({ seconds: 4, size: '320x180' })
    const spans = [span(synthetic.segments, 2 * SECOND, 4 * SECOND), span(other.segments, 0, 2 * SECOND)]
    const clip = await makeClip(directory(), spans)
    expect(clip.cut.video.inBand).to.equal(true)
    expect(clip.file.durationTicks).to.equal(4 * SECOND)
    // ffmpeg scales the second recording's pictures to the first's size: what is compared is their number and time.
    const frames = await decodedFrames(clip.path)
    const first = within(synthetic.frames, 2 * SECOND, 4 * SECOND)
    expect(frames.slice(0, first.length)).to.deep.equal(first)
    expect(frames.slice(first.length).map((frame) => frame.pts)).to.deep.equal(
      within(other.frames, 0, 2 * SECOND).map((frame) => frame.pts + 2 * SECOND),
    )
  })

  it('gives pictures that a join in the middle of a group must decode one tick each', async () => {
    const { segments, frames } = synthetic
    const spans = [span(segments, 0.5 * SECOND, SECOND), span(segments, 3 * SECOND, 4 * SECOND)]
    const clip = await makeClip(directory(), spans)
    expect(clip.file.durationTicks).to.equal(1.5 * SECOND)
    const shown = await decodedFrames(clip.path)
    const visible = shown.filter(({ pts }, i) => (shown[i + 1]?.pts ?? Infinity) - pts > 100)
    const second = within(frames, 3 * SECOND, 4 * SECOND).map(({ pts, md5 }) => ({ pts: pts + 0.5 * SECOND, md5 }))
    const first = within(frames, 0.5 * SECOND, SECOND)
    expect(visible).to.deep.equal([...first, ...second])
    expect(await expectSound(clip, synthetic.sound)).to.equal(0)
    expect(clip.file.frameCount).to.equal(shown.length)
  })

  it('is refused when there is nothing in it', () => {
    const { segments } = participant
    return Promise.all(
      [[], [span(segments, 5 * SECOND, 5 * SECOND)], [span([], 0, SECOND)]].map(async (spans) => {
        const error = await makeClip(directory(), spans).catch((reason: unknown) => reason)
        expect(error).to.be.instanceOf(RangeError)
      }),
    )
  })
})

function span(segments: PlacedSegment[], fromTicks: number, toTicks: number): Span {
  return { segments, fromTicks, toTicks }
}
