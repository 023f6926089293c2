import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableOf, writeSection } from '../bench/results.ts'
import { BREAKS, type Break } from './breaks.ts'

/*
 * `npm run mutate [-- text …]`: breaks the project in a copy of it, once for each break
 * (or for those whose description holds a text), and looks whether its tests see that.
 * A run of all of them is written to `bench/RESULTS.md`.
 * Exit codes: 0 all were caught, 1 one was not, or its place is not to be found any more.
 */

const ROOT = new URL('../', import.meta.url).pathname
const COPIED = ['src', 'test', 'migrations', 'recordings', 'webhook-fixtures', 'fuzz', 'package.json', 'README.md']
const LIMIT_MS = 180_000

type Result = Record<'invariant' | 'break' | 'caught by', string | number>

const wanted = process.argv.slice(2)
const chosen = BREAKS.filter(({ what }) => wanted.length === 0 || wanted.some((text) => what.includes(text)))
const copy = await mkdtemp(join(tmpdir(), 'livekit-replay-mutation-'))
const results: Result[] = []
try {
  for (const name of COPIED) await cp(join(ROOT, name), join(copy, name), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  for (const one of chosen) {
    const caught = await attempt(one)
    results.push({ invariant: one.invariant, break: one.what, 'caught by': caught ?? 'NOBODY' })
    process.stdout.write(`${one.invariant}. ${one.what}: ${caught ?? 'NOT CAUGHT'}\n`)
    if (caught === undefined) process.exitCode = 1
  }
} finally {
  await rm(copy, { recursive: true, force: true })
}
console.table(results)
if (wanted.length === 0) await writeSection('mutate', [tableOf('Breaks, and who noticed', results)], performance.now())

/** The first test that fails while it is broken, or undefined. */
async function attempt(one: Break): Promise<string | undefined> {
  const file = join(copy, one.file)
  const text = await readFile(file, 'utf8')
  if (text.split(one.search).length !== 2) {
    process.stdout.write(`${one.file} does not hold once what is to be broken: ${one.search}\n`)
    return undefined
  }
  await writeFile(
    file,
    text.replace(one.search, () => one.replace),
  )
  try {
    return await runTests(one)
  } finally {
    await writeFile(file, text)
  }
}

async function runTests({ tests, grep }: Break): Promise<string | undefined> {
  const report = join(copy, 'report.json')
  await rm(report, { force: true })
  const options = ['--no-package', '--require', 'test/support/run.ts', '--timeout', '30000', '--bail', '--exit']
  const reporter = ['--reporter', 'json', '--reporter-option', `output=${report}`]
  const mocha = join(copy, 'node_modules/mocha/bin/mocha.js')
  const some = grep === undefined ? [] : ['--grep', grep]
  const child = spawn(process.execPath, [mocha, ...options, ...reporter, ...some, ...tests], {
    cwd: copy,
    stdio: 'ignore',
    timeout: LIMIT_MS,
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  const { failures, stats } = await readReport(report)
  if (code === 0 && stats.passes === 0) process.stdout.write(`no test was run of ${tests.join(', ')}\n`)
  if (code === 0) return undefined
  return failures[0]?.fullTitle ?? (code === null ? 'the tests do not end' : 'the tests do not run')
}

interface Report {
  stats: { passes: number }
  failures: { fullTitle: string }[]
}

async function readReport(file: string): Promise<Report> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text === undefined ? { stats: { passes: 0 }, failures: [] } : (JSON.parse(text) as Report)
}
