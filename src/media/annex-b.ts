/** H.264 as a byte stream (ISO/IEC 14496-10, annex B): finding the NAL units of one access unit. */

const START_CODE = Buffer.from([0, 0, 1])

/** ISO/IEC 14496-10, table 7-1. */
export const NAL = { slice: 1, idr: 5, sei: 6, sps: 7, pps: 8, delimiter: 9, filler: 12 } as const

/**
 * Appends `[start, end)` of every NAL unit in `bytes[from, to)` to `found`, without start codes and trailing zeros.
 * A start code has three bytes; the zero that often stands before it belongs to the unit before, as trailing zero.
 */
export function findNalUnits(bytes: Buffer, from: number, to: number, found: number[]): void {
  let code = bytes.indexOf(START_CODE, from)
  while (code >= 0 && code < to) {
    const start = code + 3
    code = bytes.indexOf(START_CODE, start)
    let end = code < 0 || code > to ? to : code
    while (end > start && bytes[end - 1] === 0) end -= 1
    if (end > start) found.push(start, end)
  }
}

export function nalType(firstByte: number): number {
  return firstByte & 0x1f
}
