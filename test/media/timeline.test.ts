import { expect } from 'chai'
import type { FrameIndex } from '../../src/media/frame-index.ts'
import { coveredRanges, EGRESS_ORIGIN, findBreaks, placeSegments } from '../../src/media/timeline.ts'

const WRAP = 2 ** 33
const SECOND = 90000

/** Two seconds at 30 pictures a second without B-frames, beginning `ticks` after the origin. */
function segment(sequence: number, ticks: number, without: number[] = []) {
  const times = Array.from({ length: 60 }, (_, i) => i * 3000).filter((_, i) => !without.includes(i))
  const dts = Int32Array.from(times)
  const video = { sizes: new Uint32Array(times.length).fill(100), dts, pts: dts, keys: [0] }
  const firstDts = (((EGRESS_ORIGIN + ticks) % WRAP) + WRAP) % WRAP
  const frameIndex: FrameIndex = { firstDts, sps: Buffer.alloc(4), pps: Buffer.alloc(4), video, audio: null }
  return { key: `s${sequence}`, sequence, startMs: ticks / 90, frameIndex }
}

describe('the timeline of a recording', () => {
  it('begins where egress starts its clock, and joins segments though they are off by a tick', () => {
    const placed = placeSegments([segment(1, 2 * SECOND + 1), segment(0, 0)])
    expect(placed.map(({ fromTicks, toTicks }) => [fromTicks, toTicks])).to.deep.equal([
      [0, 2 * SECOND + 1],
      [2 * SECOND + 1, 4 * SECOND + 1],
    ])
    expect(findBreaks(placed)).to.deep.equal({ gaps: [], holes: [] })
    expect(coveredRanges(placed)).to.deep.equal([{ fromTicks: 0, toTicks: 4 * SECOND + 1 }])
  })

  it('runs on when the 33-bit clock comes around, and knows how often it did', () => {
    const before = WRAP - EGRESS_ORIGIN - 2 * SECOND
    const placed = placeSegments([segment(0, before), segment(1, before + 2 * SECOND)])
    expect(placed[1]!.fromTicks).to.equal(before + 2 * SECOND)
    const late = placeSegments([segment(9, 2 * WRAP + 7 * SECOND)])
    expect(late[0]!.fromTicks).to.equal(2 * WRAP + 7 * SECOND)
    const apart = placeSegments([segment(0, 0), segment(99, WRAP + SECOND)])
    expect(apart[1]!.fromTicks).to.equal(WRAP + SECOND)
  })

  it('has a gap where a number is missing, or where time is', () => {
    const missing = placeSegments([segment(0, 0), segment(2, 4 * SECOND)])
    const gap = { fromTicks: 2 * SECOND, toTicks: 4 * SECOND }
    expect(findBreaks(missing).gaps).to.deep.equal([gap])
    expect(coveredRanges(missing)).to.have.length(2)
    const late = placeSegments([segment(0, 0), segment(1, 4 * SECOND)])
    expect(findBreaks(late).gaps).to.deep.equal([gap])
  })

  it('has a hole where a segment has no pictures', () => {
    const placed = placeSegments([segment(0, 0, [20, 21, 22, 23])])
    expect(findBreaks(placed)).to.deep.equal({ gaps: [], holes: [{ fromTicks: 60000, toTicks: 72000 }] })
    expect(coveredRanges(placed)).to.deep.equal([{ fromTicks: 0, toTicks: 2 * SECOND }])
  })
})
