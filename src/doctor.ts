import { parseArgs } from 'node:util'
import type { Finding } from './doctor/finding.ts'
import { runDoctor } from './doctor/run-doctor.ts'
import { createLog } from './log.ts'

/*
 * `npm run doctor`: what is wrong with the setup, and what to do. Exit codes: 0 nothing,
 * 1 something is, 2 the arguments are.
 */

const options = {
  json: { type: 'boolean', default: false },
  probe: { type: 'boolean', default: false },
  url: { type: 'string' },
} as const

try {
  process.loadEnvFile()
} catch (error) {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}

try {
  const { values } = parseArgs({ options })
  process.exitCode = await examine(values.json, values.probe, values.url)
} catch (error) {
  if (!(error instanceof TypeError && 'code' in error)) throw error
  process.stderr.write(`${error.message}\nusage: npm run doctor -- [--probe] [--json] [--url http://…]\n`)
  process.exitCode = 2
}

async function examine(isJson: boolean, isProbing: boolean, url: string | undefined): Promise<number> {
  const log = createLog({ level: 'error', readable: process.stderr.isTTY })
  const say = isJson ? () => undefined : (finding: Finding) => process.stdout.write(lineOf(finding))
  const findings = await runDoctor({ env: process.env, log, url, isProbing, say })
  const wrong = findings.filter(({ state }) => state === 'fail').length
  const doubtful = findings.filter(({ state }) => state === 'warn').length
  if (isJson) process.stdout.write(`${JSON.stringify({ ok: wrong === 0, findings }, undefined, 2)}\n`)
  else process.stdout.write(`\n${wrong} wrong, ${doubtful} doubtful, ${findings.length - wrong - doubtful} well\n`)
  return wrong === 0 ? 0 : 1
}

function lineOf({ check, state, found, todo }: Finding): string {
  const line = `${state.padEnd(5)} ${check.padEnd(21)} ${found}\n`
  return todo === undefined ? line : `${line}${' '.repeat(28)}→ ${todo}\n`
}
