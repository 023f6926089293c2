import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/**
 * Decodes with any ffmpeg from 4.1 on and keeps the true time of every frame: the filter `showinfo` prints pts on
 * stderr, one line a frame, in the order in which the frames come out of stdout. Nothing is doubled or dropped, and an
 * edit list is obeyed.
 */
type FrameTime = { ptsSeconds: number; samples: number }

async function runFfmpeg(ffmpegPath: string, args: string[], onData: (chunk: Buffer) => void): Promise<FrameTime[]> {
  const child = spawn(ffmpegPath, ['-hide_banner', '-nostdin', '-copyts', ...args, '-'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.on('data', onData)
  const times = readTimes(child.stderr)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const { frames, said } = await times
  if (code !== 0) throw new Error(`ffmpeg ended with ${code}: ${said.slice(-4).join(' | ')}`)
  return frames
}

async function readTimes(stderr: Readable): Promise<{ frames: FrameTime[]; said: string[] }> {
  const frames: FrameTime[] = []
  const said: string[] = []
  let tick = Number.NaN
  for await (const line of createInterface({ input: stderr })) {
    const base = /config in time_base: (\d+)\/(\d+)/.exec(line)
    const frame = /showinfo.*? n: *\d+ +pts: *(-?\d+|NOPTS)/.exec(line)
    if (base) tick = Number(base[1]) / Number(base[2])
    if (frame) {
      const samples = Number(/nb_samples:(\d+)/.exec(line)?.[1] ?? 0)
      const rate = /rate:(\d+)/.exec(line)
      frames.push({ ptsSeconds: Number(frame[1]) * (rate ? 1 / Number(rate[1]) : tick), samples })
    } else if (!line.includes('showinfo')) said.push(line)
  }
  return { frames, said }
}

/** Every frame of the first video stream after `filter`, handed to `read` as `frameBytes` of gray. */
export async function decodeVideo<T>(
  ffmpegPath: string,
  file: string,
  filter: string,
  frameBytes: number,
  read: (gray: Uint8Array) => T,
): Promise<{ ptsSeconds: number; value: T }[]> {
  const values: T[] = []
  let rest: Buffer = Buffer.alloc(0)
  const only = ['-an', '-sn', '-dn', '-f', 'rawvideo', '-pix_fmt', 'gray']
  const args = ['-i', file, '-map', '0:v:0', '-vf', `${filter},showinfo`, '-vsync', 'passthrough', ...only]
  const times = await runFfmpeg(ffmpegPath, args, (chunk) => {
    rest = rest.length ? Buffer.concat([rest, chunk]) : chunk
    while (rest.length >= frameBytes) {
      values.push(read(rest.subarray(0, frameBytes)))
      rest = rest.subarray(frameBytes)
    }
  })
  return values.flatMap((value, i) => {
    const time = times[i]
    return time ? [{ ptsSeconds: time.ptsSeconds, value }] : []
  })
}

/** The first audio stream as mono at `rate`, in blocks that each carry their own time. */
export async function decodeAudio(
  ffmpegPath: string,
  file: string,
  rate: number,
): Promise<{ ptsSeconds: number; samples: Int16Array }[]> {
  const chunks: Buffer[] = []
  const filter = `aresample=${rate},aformat=sample_fmts=s16:channel_layouts=mono,ashowinfo`
  const args = ['-i', file, '-map', '0:a:0', '-vn', '-sn', '-dn', '-af', filter, '-f', 's16le']
  const times = await runFfmpeg(ffmpegPath, args, (chunk) => chunks.push(chunk))
  const pcm = Buffer.concat(chunks)
  const all = new Int16Array(pcm.buffer, pcm.byteOffset, Math.floor(pcm.length / 2))
  let at = 0
  return times.map(({ ptsSeconds, samples }) => {
    at += samples
    return { ptsSeconds, samples: all.subarray(at - samples, at) }
  })
}
