import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { format } from 'prettier'
import type { Table } from './report.ts'
import { describeMachine } from './machine.ts'

/*
 * `npm run bench [-- part …]`: every bench, or the parts named, one after the other. Each
 * writes its own section of `RESULTS.md` anew.
 */

const PARTS = ['capture', 'download', 'landing', 'webhooks', 'range-query', 'clip-list']
const RESULTS = new URL('RESULTS.md', import.meta.url)

const HEAD = `# Results

Written by \`npm run bench\`. Figures compare within a section: all of it was measured in one run, sides that are compared
in turns. What is promised is judged beside it.
`

const wanted = process.argv.slice(2)
const unknown = wanted.filter((part) => !PARTS.includes(part))
if (unknown.length > 0) {
  process.stderr.write(`no such part: ${unknown.join(', ')}; there are ${PARTS.join(', ')}\n`)
  process.exit(2)
}
for (const part of wanted.length > 0 ? wanted : PARTS) {
  process.stdout.write(`\n${part}\n\n`)
  const begin = performance.now()
  const { tables, code } = await runPart(part)
  if (code !== 0) process.exitCode = 1
  else await writeSection(part, tables, Math.round((performance.now() - begin) / 1000))
}

async function runPart(part: string): Promise<{ tables: Table[]; code: number | null }> {
  const tables: Table[] = []
  const child = fork(new URL(`${part}.ts`, import.meta.url))
  child.on('message', (message) => tables.push(message as Table))
  const [code] = (await once(child, 'exit')) as [number | null]
  return { tables, code }
}

async function writeSection(part: string, tables: Table[], seconds: number): Promise<void> {
  const before = await readFile(RESULTS, 'utf8').catch(() => HEAD)
  const sections = new Map(
    before
      .split(/^(?=## )/m)
      .slice(1)
      .map((text) => [/^## (.*)/.exec(text)?.[1] ?? '', text]),
  )
  const described = `${await describeMachine()}; took ${seconds} s.`
  sections.set(part, [`## ${part}`, described, ...tables.map(markdownOf)].join('\n\n'))
  const text = [HEAD, ...PARTS.flatMap((name) => sections.get(name) ?? [])].join('\n\n')
  await writeFile(RESULTS, await format(text, { parser: 'markdown', printWidth: 120 }))
}

function markdownOf({ title, header, rows }: Table): string {
  const lineOf = (row: string[]) => `| ${row.join(' | ')} |`
  const rule = lineOf(header.map((_, i) => (i === 0 ? '---' : '--:')))
  return [`**${title}**`, '', lineOf(header), rule, ...rows.map(lineOf)].join('\n')
}
