/*
 * Time as the page draws it: spans of the wall clock in milliseconds. Pure.
 */

/** @typedef {{ from: number, to: number }} Range */

/** @param {{ from: string, to: string }} span @returns {Range} */
export const toRange = ({ from, to }) => ({ from: Date.parse(from), to: Date.parse(to) })

/**
 * What is there between two instants, when these gaps are not.
 * @param {Range} whole
 * @param {Range[]} gaps in order
 * @returns {Range[]}
 */
export function without(whole, gaps) {
  const found = []
  let { from } = whole
  for (const gap of gaps) {
    if (gap.from > from) found.push({ from, to: Math.min(gap.from, whole.to) })
    from = Math.max(from, gap.to)
  }
  if (from < whole.to) found.push({ from, to: whole.to })
  return found
}

/**
 * What of a buffer is kept.
 * @param {import('./api-types.ts').BufferCoverage} coverage
 * @returns {Range[]}
 */
export function keptRanges({ coveredFrom, coveredTo, gaps }) {
  if (coveredFrom === null || coveredTo === null) return []
  return without(toRange({ from: coveredFrom, to: coveredTo }), gaps.map(toRange))
}

/**
 * How much of a range others cover.
 * @param {Range} range
 * @param {Range[]} covered
 */
export function overlapMs(range, covered) {
  return covered.reduce(
    (sum, { from, to }) => sum + Math.max(0, Math.min(to, range.to) - Math.max(from, range.from)),
    0,
  )
}

/**
 * Where to go when there is nothing to see at an instant: on to where there is.
 * @param {number} at
 * @param {Range[]} covered in order
 */
export function nearestCovered(at, covered) {
  const next = covered.find(({ to }) => at < to)
  if (next) return Math.max(at, next.from)
  return covered.at(-1)?.to ?? at
}

/** @param {number} value @param {number} least @param {number} most */
export const clamp = (value, least, most) => Math.min(most, Math.max(least, value))
