/** How long it took, in ms. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const begin = performance.now()
  await act()
  return performance.now() - begin
}

/** How long each time took, in ms. */
export async function repeat(times: number, act: () => Promise<unknown>): Promise<number[]> {
  const taken: number[] = []
  for (let n = 0; n < times; n += 1) taken.push(await timed(act))
  return taken
}

/** The value that so large a share of them is not above. */
export function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? NaN
}

export function median(values: number[]): number {
  return quantile(values, 0.5)
}

export function p95(values: number[]): number {
  return quantile(values, 0.95)
}
