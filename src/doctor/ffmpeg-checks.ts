import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fail, messageOf, ok, type Finding } from './finding.ts'

const run = promisify(execFile)

/** What posters are made with (`capture/still.ts`); clips are made without ffmpeg. */
const NEEDED: [list: string, names: string[]][] = [
  ['-demuxers', ['mov']],
  ['-decoders', ['h264']],
  ['-encoders', ['mjpeg']],
  ['-muxers', ['image2pipe']],
  ['-filters', ['scale', 'format']],
  ['-protocols', ['pipe']],
]

const REMEDY =
  'install ffmpeg and name it with FFMPEG_PATH, or install with optional packages; until then there are no posters'

/** The version, and that all is in it that is needed. */
export async function checkFfmpeg(path: string): Promise<Finding> {
  try {
    const { stdout } = await run(path, ['-version'], { timeout: 10_000 })
    const version = /^ffmpeg version (\S+)/.exec(stdout)?.[1]
    if (version === undefined) return fail('ffmpeg', `${path} is no ffmpeg`, REMEDY)
    const missing = (await Promise.all(NEEDED.map((needed) => listMissing(path, needed)))).flat()
    if (missing.length === 0) return ok('ffmpeg', `${version}, with all that posters need (${path})`)
    return fail('ffmpeg', `${version} at ${path} lacks ${missing.join(', ')}`, REMEDY)
  } catch (error) {
    return fail('ffmpeg', `${path} cannot be run: ${messageOf(error)}`, REMEDY)
  }
}

async function listMissing(path: string, [list, names]: (typeof NEEDED)[number]): Promise<string[]> {
  const { stdout } = await run(path, ['-hide_banner', list], { timeout: 10_000 })
  const has = new Set(stdout.split(/[\s,]+/))
  return names.filter((name) => !has.has(name)).map((name) => `${list.slice(1, -1)} ${name}`)
}
