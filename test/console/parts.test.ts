import { expect } from 'chai'
import type { ClipAnswer, EventAnswer, SessionAnswer } from '../../src/http/answers.ts'
import type { Clip, ReplayEvent, Session } from '../../src/console/api-types.ts'
import { keptRanges, nearestCovered, overlapMs, without } from '../../src/console/ranges.js'
import { captureBody, markIn, markOut, rangeOf } from '../../src/console/selection.js'
import { ticksOf } from '../../src/console/ticks.js'
import { length, bytes } from '../../src/console/format.js'

/** What the page takes an answer for is what the service says: it would not compile otherwise. */
const asSession = (answer: SessionAnswer): Session => answer
const asClip = (answer: ClipAnswer): Clip => answer
const asEvent = (answer: EventAnswer): ReplayEvent => answer

const BOUNDS = { from: 100_000, to: 160_000 }
const MARKED = { kind: 'marked', from: 110_000, to: 120_000 } as const
const LAST = { kind: 'last', seconds: 30 } as const

describe('what the page reckons with', () => {
  it('takes the answers of the API for what they are', () => {
    expect([asSession, asClip, asEvent].every((as) => typeof as === 'function')).to.equal(true)
  })

  it('a buffer is kept where there is no gap, and a jump into a gap goes on behind it', () => {
    const iso = (ms: number) => new Date(ms).toISOString()
    const kept = keptRanges({
      coveredFrom: iso(0),
      coveredTo: iso(10_000),
      coveredSeconds: 8,
      gaps: [{ from: iso(4000), to: iso(6000) }],
    })
    expect(kept).to.deep.equal([
      { from: 0, to: 4000 },
      { from: 6000, to: 10_000 },
    ])
    expect(keptRanges({ coveredFrom: null, coveredTo: null, coveredSeconds: 0, gaps: [] })).to.deep.equal([])
    expect([1000, 5000, 6000, 11_000].map((at) => nearestCovered(at, kept))).to.deep.equal([1000, 6000, 6000, 10_000])
    expect(overlapMs({ from: 3000, to: 7000 }, kept)).to.equal(2000)
  })

  it('gaps at the edges, beyond them and over each other leave what is between', () => {
    const whole = { from: 0, to: 10 }
    const gaps = [
      { from: -5, to: 1 },
      { from: 3, to: 6 },
      { from: 4, to: 5 },
      { from: 9, to: 20 },
    ]
    expect(without(whole, gaps)).to.deep.equal([
      { from: 1, to: 3 },
      { from: 6, to: 9 },
    ])
    expect(without(whole, [{ from: -1, to: 11 }])).to.deep.equal([])
  })

  it('marks keep each other in order, and stay in what there is', () => {
    expect(markIn(LAST, 105_000, BOUNDS)).to.deep.equal({ kind: 'marked', from: 105_000, to: undefined })
    expect(markIn(MARKED, 115_000, BOUNDS)).to.deep.equal({ kind: 'marked', from: 115_000, to: 120_000 })
    expect(markIn(MARKED, 130_000, BOUNDS)).to.deep.equal({ kind: 'marked', from: 130_000, to: undefined })
    expect(markIn(MARKED, 0, BOUNDS)).to.include({ from: 100_000 })
    expect(markOut(LAST, 150_000, BOUNDS)).to.deep.equal({ kind: 'marked', from: 130_000, to: 150_000 })
    expect(markOut(MARKED, 105_000, BOUNDS)).to.deep.equal({ kind: 'marked', from: 100_000, to: 105_000 })
    expect(markOut(MARKED, 1e9, BOUNDS)).to.include({ to: 160_000 })
  })

  it('a selection is sent as the press or as the instants that are shown', () => {
    expect(captureBody(LAST, BOUNDS, true)).to.deep.equal({ lastSeconds: 30 })
    expect(captureBody(LAST, BOUNDS, false)).to.deep.equal({
      from: '1970-01-01T00:02:10.000Z',
      to: '1970-01-01T00:02:40.000Z',
    })
    expect(rangeOf({ kind: 'last', seconds: 600 }, BOUNDS)).to.deep.equal(BOUNDS)
    const toNow = { kind: 'marked', from: 90_000, to: undefined } as const
    expect(captureBody(toNow, BOUNDS, true)).to.deep.equal({
      from: '1970-01-01T00:01:40.000Z',
      to: '1970-01-01T00:02:40.000Z',
    })
  })

  it('labels stand at round times, and never closer than they are wide', () => {
    for (const seconds of [5, 15, 60, 600, 7200])
      for (const width of [200, 340, 1200]) {
        const whole = { from: 1_000_123, to: 1_000_123 + seconds * 1000 }
        const ticks = ticksOf(whole, width)
        const pixels = (ms: number) => (ms / (whole.to - whole.from)) * width
        for (const [i, tick] of ticks.entries()) {
          expect(tick % 1000).to.equal(0)
          if (i > 0) expect(pixels(tick - (ticks[i - 1] ?? 0))).to.be.above(90)
        }
      }
  })

  it('lengths and sizes read as people write them', () => {
    expect([0, 4400, 65_000, 3_725_000].map(length)).to.deep.equal(['0:00', '0:04', '1:05', '1:02:05'])
    expect([0, 999, 1500, 115_000, 5.4e9].map(bytes)).to.deep.equal(['0 B', '999 B', '1.5 kB', '115 kB', '5.4 GB'])
  })
})
