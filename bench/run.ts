import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Table } from './report.ts'
import { BENCHES, writeSection } from './results.ts'

/*
 * `npm run bench [-- part …]`: every bench, or the parts named, one after the other. Each
 * writes its own section of `RESULTS.md` anew.
 */

const wanted = process.argv.slice(2)
const unknown = wanted.filter((part) => !BENCHES.includes(part))
if (unknown.length > 0) {
  process.stderr.write(`no such part: ${unknown.join(', ')}; there are ${BENCHES.join(', ')}\n`)
  process.exit(2)
}
for (const part of wanted.length > 0 ? wanted : BENCHES) {
  process.stdout.write(`\n${part}\n\n`)
  const begin = performance.now()
  const { tables, code } = await runPart(part)
  if (code !== 0) process.exitCode = 1
  else await writeSection(part, tables, performance.now() - begin)
}

async function runPart(part: string): Promise<{ tables: Table[]; code: number | null }> {
  const tables: Table[] = []
  const child = fork(new URL(`${part}.ts`, import.meta.url))
  child.on('message', (message) => tables.push(message as Table))
  const [code] = (await once(child, 'exit')) as [number | null]
  return { tables, code }
}
