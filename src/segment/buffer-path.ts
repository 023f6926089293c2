import { join } from 'node:path'
import { AppError } from '../errors.ts'
import { isOurId } from '../own-id.ts'

const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,100}$/

/** Where a session's files are, or one of them. Made of our own names only: anything else is refused. */
export function bufferPathOf(bufferPath: string, sessionId: string, fileName?: string): string {
  if (!isOurId(sessionId) || (fileName !== undefined && !FILE_NAME.test(fileName)))
    throw new AppError('invalid_request', 'no such file')
  return fileName === undefined ? join(bufferPath, sessionId) : join(bufferPath, sessionId, fileName)
}

/** The sample file that is made of a segment: `seg_00005.ts` becomes `seg_00005.samples`. */
export function sampleFileName(fileName: string): string {
  return fileName.replace(/\.ts$/, '.samples')
}
