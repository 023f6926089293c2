import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { tableOf, writeSection } from '../bench/results.ts'
import { seededRandom } from '../src/simulator/random.ts'
import { createTrouble, makeTrouble } from './faults.ts'
import { startGround, type Ground } from './ground.ts'
import { deleteClip, pressOn, type PressDeps, type Presses, type Promised } from './presses.ts'
import { readBack } from './read-back.ts'
import { createRecorded } from './recorded.ts'
import { describeRun, lineOf } from './report.ts'
import { judgeLeaks, takeSample, type Sample } from './samples.ts'
import { startSharers, type Pace as SharersPace } from './sharers.ts'
import { judge, type Verdict } from './verdict.ts'

/*
 * `npm run soak -- --minutes N [--seed S] [--shares 20]`: the service as it is run, with
 * everything going wrong around it, in real time. Exit codes: 0 every promise was kept,
 * 1 one was broken, 2 it could not run. Half an hour and more is written to
 * `bench/RESULTS.md`.
 */

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    shares: { type: 'string', default: '20' },
  },
})
const [minutes, seed, shares] = [Number(values.minutes), Number(values.seed), Number(values.shares)]
if (![minutes, seed, shares].every((number) => number > 0)) {
  process.stderr.write('--minutes, --seed and --shares are numbers\n')
  process.exit(2)
}

/** Buffers as small as their settings let them be, so that all of their life is seen. */
const SETTINGS = {
  REPLAY_BUFFER_DURATION_MINUTES: '2',
  REPLAY_CLEANUP_BUFFER_MINUTES: '3',
  REPLAY_GRACE_MINUTES: '1',
}

/** What is as long as this is written to `bench/RESULTS.md`. */
const TELLING_MINUTES = 30

interface Pace extends SharersPace {
  /** Between two faults. */
  calmMs: [number, number]
  /** Between two presses. */
  pressesMs: [number, number]
  /** Faults that are left out. */
  without: string[]
}

const say = (line: string) => process.stdout.write(`${line}\n`)
const failures: string[] = []
const broken = (what: string) => {
  failures.push(what)
  say(`BROKEN ${new Date().toISOString()} ${what}`)
}

say(`${minutes} minutes, ${shares} shares, seed ${seed}`)
const ground = await startGround(seed, SETTINGS, broken)
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void ground.stop().finally(() => process.exit(130)))
let verdicts: Verdict[]
try {
  verdicts = await soak(ground)
} finally {
  await ground.stop()
}
console.table(verdicts)
say(failures.length === 0 ? `every promise was kept (seed ${seed})` : `${failures.length} broken (seed ${seed})`)
process.exitCode = failures.length === 0 ? 0 : 1

async function soak(on: Ground): Promise<Verdict[]> {
  const startedAt = Date.now()
  const until = startedAt + minutes * 60_000
  const random = seededRandom(seed)
  const pace = paceOf(minutes)
  const sharers = startSharers(on.simulator, seededRandom(seed + 1), shares, pace)
  const presses: Presses = { promised: [], refused: new Map(), open: new Set() }
  const recorded = createRecorded(on.db)
  const trouble = createTrouble()
  const samples: Sample[] = []
  const { all, sources } = sharers
  const onPromise = async (promised: Promised) => {
    await readBack({ ...deps, sources }, promised)
    if (promised.clip?.status === 'ready' && random() < 0.2) await deleteClip(deps, promised)
  }
  const deps: PressDeps = { url: on.url, random, sharers: all, trouble, presses, broken, onPromise }
  const look = async () => {
    const sample = await takeSample(on.pid())
    if (sample) samples.push(sample)
    await recorded.look().catch(() => undefined)
  }
  const told = () => {
    say(lineOf({ ground: on, sharers: all, presses, samples, trouble, startedAt, broken: failures.length }))
  }

  await Promise.all([
    makeTrouble({ ground: on, trouble, random: seededRandom(seed + 2) }, { until, ...pace, startedAt }),
    pressOn(deps, until, pace.pressesMs),
    every(5000, until, look),
    every(60_000, until, async () => told()),
  ])
  sharers.stop()
  const endedAt = Date.now()
  told()
  await Promise.all(presses.open)
  const found = await judge({ ...deps, ground: on, recorded, sources, endedAt })
  const run = describeRun(presses, trouble, samples)
  console.table(run)
  const judged = [...found, ...judgeLeaks(samples, broken)]
  if (minutes >= TELLING_MINUTES) {
    const tables = [tableOf(`What a run was made of, seed ${seed}`, run), tableOf('Promises', judged)]
    await writeSection('soak', tables, Date.now() - startedAt)
  }
  return judged
}

/** In a short run people hurry, so that it sees as much as it can, and nothing happens that takes minutes to settle. */
function paceOf(length: number): Pace {
  if (length >= 5)
    return {
      sharesMs: [8000, 150_000],
      pausesMs: [3000, 40_000],
      calmMs: [5000, 45_000],
      pressesMs: [0, 8000],
      without: [],
    }
  return {
    sharesMs: [8000, 30_000],
    pausesMs: [3000, 12_000],
    calmMs: [1000, 3000],
    pressesMs: [0, 3000],
    without: ['all egress workers killed'],
  }
}

async function every(ms: number, until: number, act: () => Promise<void>): Promise<void> {
  for (let at = Date.now() + ms; at < until; at += ms) {
    await pause(Math.max(0, at - Date.now()))
    await act()
  }
}
