import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { v7 as uuidv7 } from 'uuid'
import { findClip, type ClipWithFile } from '../clip/clip.repo.ts'
import { posterPath } from '../clip/clip-path.ts'
import { errorFields, type Log } from '../log.ts'
import { takeTurn, type Turns } from '../segment/turns.ts'
import { storedPath } from './clip-media.ts'
import { openBytes, type OpenDeps } from './open-clip.ts'
import type { Recent } from './recent.ts'
import type { MakeStill } from './still.ts'

export interface PosterDeps extends OpenDeps {
  log: Log
  makeStill: MakeStill
  /** How many ffmpegs there are at once, over all clips and sessions. */
  stillTurns: Turns
  posterCache: Recent<Buffer>
}

/** The job `make_poster`. */
export async function makePoster(deps: PosterDeps, { clipId }: { clipId: string }): Promise<string> {
  const clip = await findClip(deps.db, clipId)
  if (clip?.status !== 'ready') return 'not_needed'
  await clipPoster(deps, clip)
  return 'made'
}

/**
 * The picture at a clip's in-point, as a JPEG. It is made once, when the clip is, or now
 * if that has not come yet; of a clip that waits it is what has landed. Undefined if
 * that is nothing. Throws `ffmpeg_failed`.
 */
export async function clipPoster(deps: PosterDeps, clip: ClipWithFile): Promise<Buffer | undefined> {
  if (clip.spans.length === 0) return undefined
  const path = storedPath(deps.storagePath, posterPath(clip))
  const kept = await readFile(path).catch(absent)
  if (kept) return kept
  const still = await deps.posterCache(clip.content_key ?? clip.id, () =>
    takeTurn(deps.stillTurns, async () => {
      const read = await openBytes(deps, clip)
      return deps.makeStill((buffers) => read(0, Number.MAX_SAFE_INTEGER, buffers))
    }),
  )
  // Who asked has it all the same; who asks next makes it again.
  if (clip.status === 'ready')
    await keep(deps, clip, path, still).catch((error: unknown) => {
      deps.log.warn('poster not kept', { clipId: clip.id, ...errorFields(error) })
    })
  return still
}

/** Renamed into its place; a clip that was deleted meanwhile takes it along, and a full disk gets back what it took. */
async function keep(deps: PosterDeps, clip: ClipWithFile, path: string, still: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${uuidv7()}.tmp`
  try {
    await writeFile(temporary, still)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  if (!(await findClip(deps.db, clip.id))) await rm(path, { force: true })
}

function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
