import { expect } from 'chai'
import fc from 'fast-check'
import { intersect, merge, subtract } from '../../src/capture/ranges.ts'
import type { TickRange } from '../../src/media/timeline.ts'

const range = fc.tuple(fc.nat(60), fc.nat(20)).map(([from, length]) => ({ fromTicks: from, toTicks: from + length }))
const ranges = fc.array(range, { maxLength: 8 })

/** The whole ticks that ranges hold, one by one. */
function ticksIn(list: readonly TickRange[]): Set<number> {
  const ticks = new Set<number>()
  for (const { fromTicks, toTicks } of list) for (let tick = fromTicks; tick < toTicks; tick += 1) ticks.add(tick)
  return ticks
}

const sorted = (ticks: Iterable<number>) => [...ticks].toSorted((a, b) => a - b)

describe('ranges', () => {
  it('that are empty are never among the merged, the intersected or the subtracted', () => {
    fc.assert(
      fc.property(ranges, ranges, (some, others) => {
        const made = [...merge(some), ...intersect(some, others), ...subtract(some, others)]
        expect(made.filter(({ fromTicks, toTicks }) => fromTicks >= toTicks)).to.deep.equal([])
      }),
    )
  })

  it('when merged hold the same ticks, in order, without touching', () => {
    fc.assert(
      fc.property(ranges, (some) => {
        const merged = merge(some)
        expect(sorted(ticksIn(merged))).to.deep.equal(sorted(ticksIn(some)))
        for (const [i, next] of merged.slice(1).entries()) expect(merged[i]?.toTicks).to.be.lessThan(next.fromTicks)
      }),
    )
  })

  it('when intersected hold what is in both', () => {
    fc.assert(
      fc.property(ranges, ranges, (some, others) => {
        const both = ticksIn(some).intersection(ticksIn(others))
        expect(sorted(ticksIn(intersect(some, others)))).to.deep.equal(sorted(both))
      }),
    )
  })

  it('when subtracted hold what is in the first alone', () => {
    fc.assert(
      fc.property(ranges, ranges, (some, others) => {
        const left = ticksIn(some).difference(ticksIn(others))
        expect(sorted(ticksIn(subtract(some, others)))).to.deep.equal(sorted(left))
      }),
    )
  })

  it('that lie closer than the tolerance become one', () => {
    const near = [
      { fromTicks: 0, toTicks: 10 },
      { fromTicks: 13, toTicks: 20 },
    ]
    expect(merge(near, 3)).to.deep.equal([{ fromTicks: 0, toTicks: 20 }])
    expect(merge(near, 2)).to.deep.equal(near)
  })
})
