import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { constants, setPriority } from 'node:os'
import { AppError } from '../errors.ts'
import { pump, twoBuffers, type Buffers } from '../media/pump.ts'

/** An MP4's bytes, read into these buffers. */
type ReadMp4 = (buffers: Buffers) => AsyncIterable<Buffer>

/** A JPEG of the first picture that an MP4 shows. Throws `ffmpeg_failed`, and as reading does. */
export type MakeStill = (read: ReadMp4) => Promise<Buffer>

const WIDTH = 640
const TIME_LIMIT_MS = 15_000
const LARGEST_STILL = 4 * 1024 * 1024

/** Nothing from outside is among them: what is looked at comes through a pipe, and goes through one. */
const ARGUMENTS = [
  ...['-hide_banner', '-loglevel', 'error', '-nostdin', '-threads', '1', '-f', 'mov', '-i', 'pipe:0'],
  ...['-map', '0:v:0', '-frames:v', '1', '-vf', `scale=${WIDTH}:-2:out_range=pc,format=yuvj420p`, '-threads', '1'],
  ...['-c:v', 'mjpeg', '-q:v', '4', '-f', 'image2pipe', 'pipe:1'],
]

/** `ffmpegPath` is asked for when the first still is made. */
export function createStillMaker(ffmpegPath: string | undefined): MakeStill {
  return async (read) => runFfmpeg(ffmpegPath ?? (await bundledFfmpeg()), read)
}

async function bundledFfmpeg(): Promise<string> {
  return (await import('@ffmpeg-installer/ffmpeg')).default.path
}

/** A picture can wait for everything that somebody waits for: presses, landings, downloads. */
const LOW_PRIORITY = constants.priority.PRIORITY_LOW

function yieldTo(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) setPriority(child.pid, LOW_PRIORITY)
  } catch {
    // It has ended already.
  }
}

async function runFfmpeg(path: string, read: ReadMp4): Promise<Buffer> {
  const child = spawn(path, ARGUMENTS, {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: TIME_LIMIT_MS,
    killSignal: 'SIGKILL',
  })
  yieldTo(child)
  const still: Buffer[] = []
  let size = 0
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= LARGEST_STILL) still.push(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-1000)))
  // It closes its end as soon as it has its picture.
  child.stdin.on('error', () => undefined)
  const buffers = twoBuffers()
  let unreadable: unknown
  const fed = pump(read(buffers.take), child.stdin)
    .catch((error: unknown) => (unreadable = error))
    .finally(() => child.stdin.end())
  const [code] = (await once(child, 'close').catch((error: unknown) => [error])) as unknown[]
  await fed
  buffers.release()
  if (unreadable !== undefined) throw unreadable
  if (code !== 0 || size === 0) {
    const cause = code instanceof Error ? code : new Error(`ffmpeg ended with ${String(code)}: ${said.trim()}`)
    throw new AppError('ffmpeg_failed', 'no picture could be made of this', { cause })
  }
  return Buffer.concat(still)
}
