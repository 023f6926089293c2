import { expect } from 'chai'
import { noteLanding, type LandingClock } from '../../src/segment/landing-clock.ts'

const ORIGIN = Date.parse('2026-11-22T17:00:00Z')

/** Segments of two seconds that land `lags[i]` ms after their end. */
function land(lags: number[], from?: LandingClock, originMs = ORIGIN, first = 0) {
  let clock = from
  const told: number[] = []
  for (const [i, lag] of lags.entries()) {
    const endMs = (first + i + 1) * 2000
    const noted = noteLanding(clock, originMs, endMs, originMs + endMs + lag)
    clock = noted.clock
    if (noted.isDrifting) told.push(i)
  }
  return { clock, told }
}

describe('the clock of a session', () => {
  it('lags by what a segment takes to land, and does not drift when that stays so', () => {
    const { clock, told } = land([2670, 2675, 2660, 2690, 2665, 2680, 2670, 2668])
    expect(clock?.figures).to.deep.equal({ lagMs: 2668, driftMs: 8 })
    expect(told).to.deep.equal([])
  })

  it('is told of once, when it drifted by more than two seconds for three landings', () => {
    const { clock, told } = land([2670, 2670, 2670, 2670, 2670, 4600, 4700, 4800, 4900, 5000])
    expect(clock?.figures.driftMs).to.equal(2330)
    expect(told).to.deep.equal([8])
    expect(land([6000, 6100], clock, ORIGIN, 10).told).to.deep.equal([])
  })

  it('is not told of for one late landing', () => {
    expect(land([2670, 2670, 2670, 2670, 2670, 9000, 7000, 2670, 9000]).told).to.deep.equal([])
  })

  it('drifts backwards too', () => {
    expect(land([2670, 2670, 2670, 2670, 2670, 2670, 500, 400, 300]).told).to.deep.equal([8])
  })

  it('begins anew when its origin is corrected', () => {
    const { clock } = land([2670, 2670, 2670, 2670, 2670, 2670])
    const corrected = land([3400], clock, ORIGIN - 700, 6)
    expect(corrected.clock?.figures).to.deep.equal({ lagMs: 3400, driftMs: 0 })
  })
})
