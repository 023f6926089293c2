import { expect } from 'chai'
import fc from 'fast-check'
import { describeCoverage } from '../../src/capture/coverage.ts'
import { chooseSpans, TICKS_PER_MS, type SessionTimeline } from '../../src/capture/cut-plan.ts'
import type { PlacedSegment } from '../../src/media/timeline.ts'

const T0 = Date.parse('2026-11-22T17:00:00.000Z')
const at = (seconds: number) => new Date(T0 + seconds * 1000)

/** Segments as a plan sees them: what is in their frames does not matter to it. */
function segments(...spans: [number, number][]): PlacedSegment[] {
  const frames = { video: { pts: new Int32Array(), dts: new Int32Array(), sizes: new Uint32Array(), keys: [] } }
  return spans.map(([from, to], sequence) => ({
    key: String(sequence),
    sequence,
    startMs: from * 1000,
    offset: 0,
    frameTicks: 6000,
    fromTicks: from * 90_000,
    toTicks: to * 90_000,
    frameIndex: { firstDts: 0, sps: Buffer.alloc(0), pps: Buffer.alloc(0), audio: null, ...frames },
  }))
}

function timeline(change: Partial<SessionTimeline> = {}): SessionTimeline {
  return {
    sessionId: 'one',
    originMs: T0,
    clock: 'measured',
    placed: segments([0, 2], [2, 4], [4, 6], [6, 8], [8, 10]),
    unreadable: [],
    shared: [{ fromMs: T0 - 1000, toMs: undefined }],
    expiredBefore: -Infinity,
    isGrowing: false,
    ...change,
  }
}

function coverageOf(timelines: SessionTimeline[], from: number, to: number) {
  const spans = chooseSpans(timelines, at(from), at(to))
  const { gaps, ...rest } = describeCoverage(timelines, at(from), at(to), spans)
  const seconds = (iso: string) => (Date.parse(iso) - T0) / 1000
  return {
    covered: rest.coveredSeconds,
    complete: rest.complete,
    clock: rest.clock,
    gaps: gaps.map((gap) => [seconds(gap.from), seconds(gap.to), gap.reason]),
  }
}

describe('the coverage of a clip', () => {
  it('is complete when all was recorded and shared', () => {
    expect(coverageOf([timeline()], 1, 9)).to.deep.equal({ covered: 8, complete: true, clock: 'measured', gaps: [] })
  })

  it('names a segment that is missing, and one that could not be read', () => {
    const placed = segments([0, 2], [4, 6], [8, 10])
    const unreadable = [{ fromTicks: 6 * 90_000, toTicks: 8 * 90_000 }]
    const { covered, gaps } = coverageOf([timeline({ placed, unreadable })], 0, 10)
    expect(covered).to.equal(6)
    expect(gaps).to.deep.equal([
      [2, 4, 'missing'],
      [6, 8, 'unreadable'],
    ])
  })

  it('leaves out the time without a share, though egress recorded black then', () => {
    const shared = [
      { fromMs: T0 - 1000, toMs: T0 + 3000 },
      { fromMs: T0 + 6500, toMs: T0 + 9000 },
    ]
    const { covered, gaps } = coverageOf([timeline({ shared })], 0, 10)
    expect(covered).to.equal(5.5)
    expect(gaps).to.deep.equal([
      [3, 6.5, 'unshared'],
      [9, 10, 'unshared'],
    ])
  })

  it('says of the past that it expired, and of the newest that it has not landed yet', () => {
    const placed = segments([4, 6], [6, 8])
    const { gaps } = coverageOf([timeline({ placed, expiredBefore: 4 * 90_000, isGrowing: true })], 0, 10)
    expect(gaps).to.deep.equal([
      [0, 4, 'expired'],
      [8, 10, 'not_yet'],
    ])
    expect(coverageOf([timeline({ placed })], 4, 10).gaps).to.deep.equal([[8, 10, 'missing']])
  })

  it('joins two sessions of a share that ended and began again, and takes a moment that both have from the first', () => {
    const first = timeline({ shared: [{ fromMs: T0, toMs: T0 + 10_000 }] })
    const second = timeline({
      sessionId: 'two',
      originMs: T0 + 9_000,
      clock: 'estimated',
      shared: [{ fromMs: T0 + 9_000, toMs: undefined }],
    })
    expect(coverageOf([first, second], 8, 12)).to.deep.equal({
      covered: 4,
      complete: true,
      clock: 'estimated',
      gaps: [],
    })
    const spans = chooseSpans([first, second], at(8), at(12))
    expect(
      spans.map((span) => [span.timeline.sessionId, span.fromTicks / 90_000, span.toTicks / 90_000]),
    ).to.deep.equal([
      ['one', 8, 10],
      ['two', 1, 3],
    ])
  })

  it('and the gaps always make up the asked-for range, whatever is missing', () => {
    const seconds = fc.integer({ min: 0, max: 40 }).map((half) => half / 2)
    const span = fc.tuple(seconds, seconds).filter(([from, to]) => from < to)
    fc.assert(
      fc.property(span, fc.uniqueArray(fc.nat(9)), fc.array(span), fc.boolean(), ([from, to], have, shares, grows) => {
        const placed = segments(...have.toSorted((a, b) => a - b).map((n): [number, number] => [n * 2, n * 2 + 2]))
        const shared = shares.map(([begin, end]) => ({ fromMs: T0 + begin * 1000, toMs: T0 + end * 1000 }))
        const { covered, gaps, complete } = coverageOf([timeline({ placed, shared, isGrowing: grows })], from, to)
        const missing = gaps.reduce((sum, [begin, end]) => sum + Number(end) - Number(begin), 0)
        expect(covered + missing).to.be.closeTo(to - from, 1 / TICKS_PER_MS)
        expect(complete).to.equal(gaps.length === 0)
        for (const [i, [begin]] of gaps.slice(1).entries()) expect(begin).to.be.at.least(Number(gaps[i]?.[1]))
      }),
    )
  })
})
