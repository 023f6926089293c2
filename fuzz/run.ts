import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { tableOf, writeSection } from '../bench/results.ts'
import { startTestPostgres, stopTestPostgres } from '../test/support/database.ts'
import { startHttpFuzz } from './http.ts'
import { mediaTargets } from './media.ts'

/*
 * `npm run fuzz -- --minutes N [--seed S]`: each target in turns, for N minutes in all.
 * A case that is found is printed with its seed, made small; what five minutes and more looked
 * at is written to `bench/RESULTS.md`. Exit codes: 0 nothing was
 * found, 1 something was, 2 it could not run.
 */

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string', default: String(Date.now() % 1e6) } },
})
const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
if (!(minutes > 0 && seed >= 0)) {
  process.stderr.write('--minutes and --seed are numbers\n')
  process.exit(2)
}

const TURN_MS = 5000
/** What a shorter run found nothing in says little. */
const TELLING_MINUTES = 5
const MOST_RUNS = 1_000_000

process.stdout.write(`${minutes} minutes, seed ${seed}\n`)
await startTestPostgres()
const http = await startHttpFuzz()
const targets = { ...mediaTargets(), ...http.targets } as Record<string, fc.IRawProperty<unknown>>
const runs = new Map<string, number>()
const found = new Set<string>()
try {
  const until = Date.now() + minutes * 60_000
  for (let turn = 0; Date.now() < until; turn += 1)
    for (const [name, property] of Object.entries(targets)) {
      if (Date.now() > until || found.has(name)) continue
      const parameters = {
        seed: seed + turn,
        numRuns: MOST_RUNS,
        interruptAfterTimeLimit: TURN_MS,
        includeErrorInReport: true,
      }
      const result = await fc.check(property, parameters)
      runs.set(name, (runs.get(name) ?? 0) + result.numRuns)
      if (!result.failed || result.interrupted) continue
      found.add(name)
      process.stdout.write(`FOUND ${name}: ${fc.defaultReportMessage(result)}\n`)
    }
} finally {
  await http.stop()
  await stopTestPostgres()
}
const looked = [...runs].map(([target, count]) => ({ target, runs: count, found: found.has(target) ? 1 : 0 }))
console.table(looked)
if (minutes >= TELLING_MINUTES)
  await writeSection('fuzz', [tableOf(`Damaged and strange inputs, seed ${seed}`, looked)], performance.now())
process.exitCode = found.size === 0 ? 0 : 1
