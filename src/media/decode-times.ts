/** Decode times must rise by a tick at least (ISO/IEC 14496-12, 8.6.1.1): those too late move before what follows. */
export function makeRising(dts: Float64Array): void {
  for (let i = dts.length - 2; i >= 0; i -= 1) dts[i] = Math.min(dts[i]!, dts[i + 1]! - 1)
}
