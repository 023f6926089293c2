import type { Request, Response } from 'express'
import parseRange from 'range-parser'
import { AppError } from '../errors.ts'
import { pump, twoBuffers, type Buffers } from '../media/pump.ts'

export interface Served {
  size: number
  /** Strong: these bytes never change. */
  etag: string
  type: string
  disposition: string
  /** For ever, unless it says otherwise. */
  cacheControl?: string
  /** The bytes `[start, end)`, read into `buffers` or the consumer's own. */
  read(start: number, end: number, buffers: Buffers): AsyncIterable<Buffer>
}

/**
 * Answers GET and HEAD for bytes that never change, with conditions and a single range
 * (RFC 9110, sections 13 and 14). Several ranges are answered with the whole, as 14.2 allows.
 * Throws `range_not_satisfiable`.
 */
export async function serveBytes(req: Request, res: Response, file: Served): Promise<void> {
  res.set({
    ETag: file.etag,
    'Accept-Ranges': 'bytes',
    'Cache-Control': file.cacheControl ?? 'private, max-age=31536000, immutable',
    'Content-Disposition': file.disposition,
  })
  res.type(file.type)
  if (isKnown(req.get('if-none-match'), file.etag)) {
    res.status(304).end()
    return
  }
  const range = wantedRange(req, res, file)
  if (range) res.status(206).set('Content-Range', `bytes ${range.start}-${range.end - 1}/${file.size}`)
  const { start, end } = range ?? { start: 0, end: file.size }
  res.set('Content-Length', String(end - start))
  if (req.method === 'HEAD') {
    res.end()
    return
  }
  const { take, release } = twoBuffers()
  try {
    await sendBytes(file.read(start, end, take), res, end - start)
  } finally {
    release()
  }
}

/** A viewer who seeks or leaves closes the connection: that is no failure of ours. */
async function sendBytes(blocks: AsyncIterable<Buffer>, res: Response, length: number): Promise<void> {
  try {
    const sent = await pump(blocks, res)
    if (res.destroyed) return
    if (sent !== length) throw new Error(`only ${sent} of ${length} bytes were there`)
    res.end()
  } catch (error) {
    // What was promised cannot be kept any more: an answer cut short must not look whole.
    if (res.headersSent) res.destroy()
    throw error
  }
}

/** Of bytes that are all here. */
export function inMemory(bytes: Buffer): Served['read'] {
  return async function* (start, end) {
    yield bytes.subarray(start, end)
  }
}

/** RFC 9110, 13.1.2: the client has these bytes, whatever it says of caches. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const known = new Set((ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, '')))
  return known.has(etag) || known.has('*')
}

function wantedRange(req: Request, res: Response, file: Served): { start: number; end: number } | undefined {
  const header = req.get('range')
  const condition = req.get('if-range')
  // RFC 9110, 13.1.5: the range counts only if these are the bytes that the client has the rest of.
  if (header === undefined || (condition !== undefined && condition !== file.etag)) return undefined
  const ranges = parseRange(file.size, header)
  if (ranges === -1) {
    res.set('Content-Range', `bytes */${file.size}`)
    res.removeHeader('ETag')
    res.removeHeader('Content-Disposition')
    res.removeHeader('Cache-Control')
    const details = { sizeBytes: file.size }
    throw new AppError('range_not_satisfiable', `the file has ${file.size} bytes`, { details })
  }
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1 || !ranges[0]) return undefined
  return { start: ranges[0].start, end: ranges[0].end + 1 }
}
