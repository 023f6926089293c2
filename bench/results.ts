import { readFile, writeFile } from 'node:fs/promises'
import { format } from 'prettier'
import { describeMachine } from './machine.ts'
import type { Table } from './report.ts'

/** The parts of `npm run bench`. */
export const BENCHES = ['capture', 'download', 'landing', 'webhooks', 'range-query', 'clip-list']

/** In the order of the file. */
const SECTIONS = [...BENCHES, 'soak', 'fuzz', 'mutate']

const RESULTS = new URL('RESULTS.md', import.meta.url)

const HEAD = `# Results

Written by \`npm run bench\`, and by long runs of \`npm run soak\`, \`fuzz\` and \`mutate\`. Figures compare within a section: all of
it was measured in one run, sides that are compared in turns. What is promised is judged beside it.
`

/** Writes one section of `RESULTS.md` anew, with the machine and the date. */
export async function writeSection(name: string, tables: Table[], tookMs: number): Promise<void> {
  const before = await readFile(RESULTS, 'utf8').catch(() => HEAD)
  const sections = new Map(
    before
      .split(/^(?=## )/m)
      .slice(1)
      .map((text) => [/^## (.*)/.exec(text)?.[1] ?? '', text]),
  )
  const described = `${await describeMachine()}; took ${Math.round(tookMs / 1000)} s.`
  sections.set(name, [`## ${name}`, described, ...tables.map(markdownOf)].join('\n\n'))
  const text = [HEAD, ...SECTIONS.flatMap((section) => sections.get(section) ?? [])].join('\n\n')
  await writeFile(RESULTS, await format(text, { parser: 'markdown', printWidth: 120 }))
}

/** What a run collected as records of the same shape. */
export function tableOf(title: string, records: Record<string, string | number>[]): Table {
  const header = Object.keys(records[0] ?? {})
  return { title, header, rows: records.map((record) => header.map((name) => String(record[name]))) }
}

function markdownOf({ title, header, rows }: Table): string {
  const lineOf = (row: string[]) => `| ${row.join(' | ')} |`
  const isText = (i: number) => i === 0 || rows.some((row) => /^[a-z]{5}/i.test(row[i] ?? ''))
  const rule = lineOf(header.map((_, i) => (isText(i) ? '---' : '--:')))
  return [`**${title}**`, '', lineOf(header), rule, ...rows.map(lineOf)].join('\n')
}
