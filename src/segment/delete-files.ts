import { rm, rmdir, stat, unlink } from 'node:fs/promises'
import { getuid } from 'node:process'
import { errorFields, type Log } from '../log.ts'
import { bufferPathOf } from './buffer-path.ts'
import { absent, type Reached } from './land-segment.ts'

export interface DeleteFilesDeps {
  log: Log
  bufferPath: string
  reached?: Reached | undefined
}

/**
 * Unlinks files of a session. Gone already is fine. Where we may not, says so once, with
 * who would be allowed, and leaves the rest: the sweep comes back. Returns how many went.
 */
export async function deleteFiles(deps: DeleteFilesDeps, sessionId: string, fileNames: string[]): Promise<number> {
  let deleted = 0
  for (const fileName of fileNames) {
    try {
      await unlink(bufferPathOf(deps.bufferPath, sessionId, fileName)).catch(absent)
    } catch (error) {
      await sayWhy(deps, sessionId, error, { fileName, left: fileNames.length - deleted })
      return deleted
    }
    deleted += 1
    deps.reached?.('file unlinked')
  }
  return deleted
}

/** Deletes a session's directory with all that is in it. False, and said, where we may not. */
export async function deleteDirectory(deps: DeleteFilesDeps, sessionId: string): Promise<boolean> {
  try {
    await rm(bufferPathOf(deps.bufferPath, sessionId), { recursive: true, force: true })
    return true
  } catch (error) {
    await sayWhy(deps, sessionId, error, {})
    return false
  }
}

/** False when it is not empty, or not there. */
export async function deleteEmptyDirectory(bufferPath: string, sessionId: string): Promise<boolean> {
  return rmdir(bufferPathOf(bufferPath, sessionId)).then(
    () => true,
    () => false,
  )
}

/** Egress writes as uid 1001, into directories that only their owner may change (contract section 2). */
async function sayWhy(deps: DeleteFilesDeps, sessionId: string, error: unknown, fields: Record<string, unknown>) {
  const owner = await stat(bufferPathOf(deps.bufferPath, sessionId)).catch(() => undefined)
  const uids = { ownerUid: owner?.uid, ourUid: getuid?.() }
  deps.log.error('buffer files not deleted', { sessionId, ...fields, ...uids, ...errorFields(error) })
}
