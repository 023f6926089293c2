import { expect } from 'chai'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import ffmpeg from '@ffmpeg-installer/ffmpeg'
import { cutClip } from '../../src/media/clip-cut.ts'
import type { FrameIndex } from '../../src/media/frame-index.ts'
import { buildMp4 } from '../../src/media/mp4-file.ts'
import { readMp4 } from '../../src/media/mp4-read.ts'
import { placeSegments } from '../../src/media/timeline.ts'
import { partLength } from '../../src/media/virtual-file.ts'
import { readBeeps, readPictureClock } from '../../src/simulator/picture-clock.ts'
import { makeClip } from './clip-fixture.ts'
import { landSegments, PARTICIPANT, readSegments, RECORDINGS, useDirectory } from './material.ts'

const SECOND = 90000
const SPS = Buffer.from('6742c01fda014016e840000003004000000f23c60ca8', 'hex')

/** Wall clock of tick 0: LiveKit's `startedAt`. */
async function recordedStartMs(): Promise<number> {
  const calls = await readFile(join(RECORDINGS, 'participant-stopped/twirp.jsonl'), 'utf8')
  const startedAt = [...calls.matchAll(/"started_at\\":\s*\\"(\d+)\\"/g)].map(([, ns]) => Number(ns) / 1e6)
  return startedAt.at(-1)!
}

describe('an MP4', () => {
  const directory = useDirectory()

  it('of a real share shows the asked-for instants at both ends, with its beeps on the full second', async () => {
    const startMs = await recordedStartMs()
    const { segments } = await landSegments(await readSegments(PARTICIPANT), directory())
    const spans = [{ segments, fromTicks: 20.5 * SECOND, toTicks: 26.3 * SECOND }]
    const { path, cut } = await makeClip(directory(), spans)
    const { fromTicks, toTicks } = cut.spans[0]!
    const clock = await readPictureClock(ffmpeg.path, path)
    // The share had 15 pictures a second: the one on screen may be 67 ms old, and all are drawn 10 to 25 ms early.
    expect(startMs + fromTicks / 90 - clock[0]!.wallMs!).to.be.within(-30, 70)
    expect(startMs + toTicks / 90 - clock.at(-1)!.wallMs!).to.be.within(0, 110)
    const beeps = await readBeeps(ffmpeg.path, path)
    expect(beeps.length).to.be.at.least(5)
    for (const { ptsSeconds, secondMod10 } of beeps) {
      const wallMs = startMs + fromTicks / 90 + ptsSeconds * 1000
      const second = Math.round(wallMs / 1000)
      expect(second % 10).to.equal(secondMod10)
      expect(wallMs - second * 1000).to.be.within(-60, 60)
    }
  })

  it('of more than 4 GB has wide places, which are right', () => {
    const sizes = new Uint32Array(60).fill(2 ** 24)
    const dts = Int32Array.from(sizes, (_, i) => i * 3000)
    const frameIndex: FrameIndex = {
      firstDts: 3600 * SECOND,
      sps: SPS,
      pps: Buffer.from('68ce3c80', 'hex'),
      video: { sizes, dts, pts: dts, keys: [0] },
      audio: null,
    }
    const rows = [0, 1, 2, 3, 4, 5].map((sequence) => {
      const firstDts = (3600 + 2 * sequence) * SECOND
      return { key: `${sequence}`, sequence, startMs: 2000 * sequence, frameIndex: { ...frameIndex, firstDts } }
    })
    const file = buildMp4(cutClip([{ segments: placeSegments(rows), fromTicks: 0, toTicks: 12 * SECOND }]))
    expect(file.size).to.equal(file.head.length + file.parts.reduce((sum, part) => sum + partLength(part), 0))
    expect(file.size).to.be.greaterThan(2 ** 32)
    const read = readMp4(file.head)
    expect(read.mediaStart).to.equal(file.head.length)
    expect(read.chunks.map((chunk) => chunk.bytes)).to.deep.equal(rows.map(() => 60 * 2 ** 24))
    const co64 = file.head.indexOf('co64')
    const places = rows.map((_, i) => Number(file.head.readBigUInt64BE(co64 + 12 + i * 8)))
    expect(places).to.deep.equal(rows.map((_, i) => file.head.length + i * 60 * 2 ** 24))
  })
})
