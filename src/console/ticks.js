const STEPS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600].map((seconds) => seconds * 1000)
const ROOM_PX = 92

/**
 * Where a time line is labelled: at round times, with room for each label. Pure.
 * @param {import('./ranges.js').Range} whole
 * @param {number} widthPx
 */
export function ticksOf(whole, widthPx) {
  const wanted = ((whole.to - whole.from) * ROOM_PX) / Math.max(1, widthPx)
  const step = STEPS_MS.find((one) => one >= wanted) ?? 7_200_000
  const first = Math.ceil(whole.from / step) * step
  const ticks = []
  for (let at = first; at <= whole.to; at += step) ticks.push(at)
  // A label at the very edge would be cut off.
  const margin = ((whole.to - whole.from) * ROOM_PX) / 2 / Math.max(1, widthPx)
  return ticks.filter((at) => at - whole.from >= margin / 2 && whole.to - at >= margin / 2)
}
