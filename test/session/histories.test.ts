import { expect } from 'chai'
import fc from 'fast-check'
import { findBroken, findUnsettled, type Ends } from './invariants.ts'
import { createPlayer, FAULTS, move, MOVES, setFault, type FaultName, type Move } from './players.ts'
import { startWorld, type World } from './world.ts'

type Step = { move: Move; by: number; afterMs: number } | { fault: FaultName; afterMs: number }

/** Never none: which of two shares of one millisecond is the later cannot be told. */
const afterMs = fc.constantFrom(1, 10, 400, 3000, 30_000)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ move: fc.constantFrom(...MOVES), by: fc.nat(1), afterMs }) },
  { weight: 1, arbitrary: fc.record({ fault: fc.constantFrom(...FAULTS), afterMs }) },
)

/**
 * Short histories, in the database and through the functions of the service: what really
 * happened in a room, of which LiveKit loses, doubles, delays and reorders what it tells.
 * One that fails is made as short as can be.
 */
describe('whatever happened in a room', () => {
  let world: World
  let rooms = 0
  before(async () => {
    world = await startWorld({ seed: 1, random: Math.random })
  })
  after(() => world.stop())

  it('each share is recorded once in the end, and nothing else is', async function () {
    this.timeout(120_000)
    const ends: Ends = new Map()
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        rooms += 1
        const players = ['alice', 'bob'].map((name) => createPlayer(`room ${rooms}`, name))
        for (const one of steps) {
          const player = 'by' in one ? players[one.by] : undefined
          if ('move' in one && player) move(world.simulator, player, one.move)
          if ('fault' in one) setFault(world.simulator, one.fault, true)
          await world.time.pass(one.afterMs)
        }
        for (const name of FAULTS) setFault(world.simulator, name, false)
        const wrong = await untilSettled(world, players)
        for (const player of players) move(world.simulator, player, 'leave')
        expect(wrong).to.deep.equal([])
        expect(await untilSettled(world, players)).to.deep.equal([])
        expect(await findBroken(world, ends)).to.deep.equal([])
      }),
      { numRuns: Number(process.env['HISTORIES'] ?? 40) },
    )
  })
})

/** Pauses between tries grow up to five minutes. */
async function untilSettled(world: World, players: ReturnType<typeof createPlayer>[]): Promise<string[]> {
  let wrong = await findUnsettled(world, players)
  for (let tries = 0; tries < 40 && wrong.length > 0; tries += 1) {
    await world.time.pass(10_000)
    wrong = await findUnsettled(world, players)
  }
  return wrong
}
