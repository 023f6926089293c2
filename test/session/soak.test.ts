import { seededRandom } from '../../src/simulator/random.ts'
import { findBroken, findUnsettled, type Ends } from './invariants.ts'
import { createPlayer, FAULTS, move, MOVES, setFault } from './players.ts'
import { startWorld, type World } from './world.ts'

/*
 * Simulated hours: shares come and go, everything goes wrong that can, and every half
 * hour it is let come to rest. `SOAK_SEED` repeats a run, `SOAK_HOURS` makes it longer.
 */

const SEED = Number(process.env['SOAK_SEED'] ?? 20_261_123)
const HOURS = Number(process.env['SOAK_HOURS'] ?? 1)

const STEPS_TO_CALM = 60
/** Pauses between tries grow up to five minutes. */
const LONGEST_CALM_STEPS = 60
const STEP_MS = 10_000

describe('hours of everything going wrong', () => {
  for (const egressType of ['participant', 'track_composite'])
    it(`end with each share recorded once and no buffer lost (${egressType})`, async function () {
      this.timeout(120_000)
      const random = seededRandom(SEED)
      const world = await startWorld({ seed: SEED, random, env: { REPLAY_EGRESS_TYPE: egressType } })
      try {
        await soak(world, random)
      } catch (cause) {
        throw new Error(`SOAK_SEED=${SEED} SOAK_HOURS=${HOURS} (${egressType})`, { cause })
      } finally {
        await world.stop()
      }
    })
})

async function soak(world: World, random: () => number): Promise<void> {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
  const players = ['stage', 'class'].flatMap((room) => ['alice', 'bob'].map((name) => createPlayer(room, name)))
  const ends: Ends = new Map()
  const log: string[] = []
  const startedAt = world.time.now()
  world.addInstance()

  while (world.time.now() - startedAt < HOURS * 3_600_000) {
    for (let step = 0; step < STEPS_TO_CALM; step += 1) {
      log.push(await act(world, players, pick, random))
      await world.time.pass(Math.round(random() * 2 * STEP_MS))
      const broken = await findBroken(world, ends)
      if (broken.length > 0) throw new Error(`${broken.join('; ')}\nafter ${log.slice(-12).join('; ')}`)
    }
    for (const name of FAULTS) setFault(world.simulator, name, false)
    while (world.instances.length < 2) world.addInstance()
    let wrong = await findUnsettled(world, players)
    for (let step = 0; step < LONGEST_CALM_STEPS && wrong.length > 0; step += 1) {
      await world.time.pass(STEP_MS)
      wrong = await findUnsettled(world, players)
    }
    if (wrong.length > 0) throw new Error(`${wrong.join('; ')}\nafter ${log.slice(-30).join('; ')}`)
  }
}

type Pick = <T>(of: readonly T[]) => T

async function act(
  world: World,
  players: ReturnType<typeof createPlayer>[],
  pick: Pick,
  random: () => number,
): Promise<string> {
  const chance = random()
  if (chance < 0.6) {
    const player = pick(players)
    const what = pick(MOVES)
    move(world.simulator, player, what)
    return `${player.identity}@${player.room} ${what}`
  }
  if (chance < 0.85) {
    const name = pick(FAULTS)
    const isOn = random() < 0.4
    setFault(world.simulator, name, isOn)
    return `${name} ${isOn ? 'on' : 'off'}`
  }
  return disaster(world, pick)
}

async function disaster(world: World, pick: Pick): Promise<string> {
  const running = world.running().filter(({ status }) => status !== 'EGRESS_ENDING')
  const what = pick(['kill worker', 'kill handler', 'kill instance', 'start instance'] as const)
  if (what === 'kill instance' && world.instances.length > 0) await world.killInstance(pick(world.instances))
  else if (what === 'start instance' && world.instances.length < 2) world.addInstance()
  else if (what === 'kill worker' && running.length > 0) world.simulator.killEgressWorker(pick(running).egressId)
  else if (what === 'kill handler' && running.length > 0) world.simulator.killEgressHandler(pick(running).egressId)
  return what
}
