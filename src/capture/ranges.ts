import type { TickRange } from '../media/timeline.ts'

/** Ranges joined where they touch or overlap, or lie no more than `tolerance` apart; in order. */
export function merge(ranges: readonly TickRange[], tolerance = 0): TickRange[] {
  const merged: TickRange[] = []
  for (const { fromTicks, toTicks } of ranges.toSorted((a, b) => a.fromTicks - b.fromTicks)) {
    const last = merged.at(-1)
    if (last && fromTicks <= last.toTicks + tolerance) last.toTicks = Math.max(last.toTicks, toTicks)
    else if (fromTicks < toTicks) merged.push({ fromTicks, toTicks })
  }
  return merged
}

/** What lies in both; in order, without overlaps. */
export function intersect(some: readonly TickRange[], others: readonly TickRange[]): TickRange[] {
  const right = merge(others)
  return merge(some).flatMap((range) =>
    right
      .map((other) => ({
        fromTicks: Math.max(range.fromTicks, other.fromTicks),
        toTicks: Math.min(range.toTicks, other.toTicks),
      }))
      .filter(({ fromTicks, toTicks }) => fromTicks < toTicks),
  )
}

/** What of the first lies in none of the others. */
export function subtract(some: readonly TickRange[], others: readonly TickRange[]): TickRange[] {
  let left = merge(some)
  for (const other of merge(others))
    left = left
      .flatMap((range) => [
        { fromTicks: range.fromTicks, toTicks: Math.min(range.toTicks, other.fromTicks) },
        { fromTicks: Math.max(range.fromTicks, other.toTicks), toTicks: range.toTicks },
      ])
      .filter(({ fromTicks, toTicks }) => fromTicks < toTicks)
  return left
}
