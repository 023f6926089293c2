/**
 * Decode times must rise by a tick at least (ISO/IEC 14496-12, 8.6.1.1): those too late move before what follows, and
 * what may be decoded at any time (`Infinity`) with them. The last one has nothing to move before but its own showing.
 */
export function makeRising(dts: Float64Array, pts: Float64Array): void {
  const last = dts.length - 1
  if (dts[last] === Infinity) dts[last] = pts[last]!
  for (let i = last - 1; i >= 0; i -= 1) dts[i] = Math.min(dts[i]!, dts[i + 1]! - 1)
}
