/** A table of a part's results: printed, and handed to `run.ts` for `RESULTS.md`. */
export interface Table {
  title: string
  header: string[]
  rows: string[][]
}

export function report(title: string, header: string[], rows: string[][]): void {
  const widths = header.map((_, i) => Math.max(...[header, ...rows].map((row) => (row[i] ?? '').length)))
  const lineOf = (row: string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')
  process.stdout.write(`${title}\n\n${[header, ...rows].map(lineOf).join('\n')}\n\n`)
  process.send?.({ title, header, rows } satisfies Table)
}

/** What was measured beside what is promised. */
export function judged(what: string, measured: number, most: number, unit: string): string[] {
  return [what, `${round(measured)} ${unit}`, `at most ${most} ${unit}`, measured <= most ? 'yes' : 'NO']
}

export const JUDGED = ['', 'measured', 'target', 'met']

/** How it grows with its work: the exponent of the least squares fit of the logarithms. */
export function growthRow(what: string, sizes: number[], values: number[], unit: string): string[] {
  return [what, ...values.map((value, i) => `${sizes[i]}: ${round(value)} ${unit}`), exponent(sizes, values).toFixed(2)]
}

export const GROWTH = ['', '1x', '4x', '16x', 'exponent']

function exponent(sizes: number[], values: number[]): number {
  const x = sizes.map((size) => Math.log(size))
  const y = values.map((value) => Math.log(Math.max(value, 1e-9)))
  const mean = (of: number[]) => of.reduce((sum, one) => sum + one, 0) / of.length
  const [mx, my] = [mean(x), mean(y)]
  const together = x.reduce((sum, one, i) => sum + (one - mx) * ((y[i] ?? 0) - my), 0)
  return together / x.reduce((sum, one) => sum + (one - mx) ** 2, 0)
}

export function round(value: number): string {
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
