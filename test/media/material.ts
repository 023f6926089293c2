/** Segments to cut: LiveKit's own from the recordings, and made ones for what the recordings do not show. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ffmpeg from '@ffmpeg-installer/ffmpeg'
import { packFrameIndex, unpackFrameIndex } from '../../src/media/frame-index.ts'
import { repackSegment } from '../../src/media/sample-file.ts'
import { type PlacedSegment, placeSegments } from '../../src/media/timeline.ts'

export const RECORDINGS = join(import.meta.dirname, '../../recordings')
export const PARTICIPANT = join(RECORDINGS, 'participant-stopped/out/0192-s1')
export const TRACK_COMPOSITE = join(RECORDINGS, 'track-composite-ended/out/s-track')

export function runFfmpeg(args: string[], input?: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { maxBuffer: 2 ** 28 }
    const child = execFile(ffmpeg.path, ['-v', 'error', '-nostdin', ...args], options, (error, stdout, stderr) => {
      if (error || stderr !== '') reject(new Error(`${error?.message ?? 'ffmpeg complained'}\n${stderr}`))
      else resolve(stdout)
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** A directory for the tests of one file, gone when they are over. */
export function useDirectory(): () => string {
  let directory = ''
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'media-'))
  })
  after(() => rm(directory, { recursive: true, force: true }))
  return () => directory
}

export type Recording = { ts: Buffer[]; segments: PlacedSegment[] }

/** Repacks segments as they would be on landing; keys are the paths of their sample files. */
export async function landSegments(files: Buffer[], into: string, skip: number[] = []): Promise<Recording> {
  const rows = []
  const prefix = join(into, `${Math.random().toString(36).slice(2)}-`)
  for (const [sequence, file] of files.entries()) {
    if (skip.includes(sequence)) continue
    const repacked = repackSegment(file, true)
    if ('unreadable' in repacked) throw new Error(`segment ${sequence}: ${repacked.unreadable}`)
    const key = `${prefix}${sequence}`
    await writeFile(key, repacked.sampleFile)
    const frameIndex = unpackFrameIndex(packFrameIndex(repacked.frameIndex))
    rows.push({ key, sequence, startMs: sequence * 2000, frameIndex })
  }
  return { ts: files.filter((_, i) => !skip.includes(i)), segments: placeSegments(rows) }
}

export async function readSegments(directory: string): Promise<Buffer[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.ts')).toSorted()
  return Promise.all(names.map((name) => readFile(join(directory, name))))
}

export type Synthetic = {
  seconds: number
  /** Where the clock stands at the beginning. */
  startSeconds?: number
  size?: string
  fps?: number
  /** Filters on each, after the source. */
  video?: string
  audio?: string | null
}

/** Encodes a moving picture and a rising tone with x264 (main, B-frames) and AAC, a keyframe and a new segment every two seconds of pictures. */
export async function makeSegments(directory: string, options: Synthetic): Promise<Buffer[]> {
  const { seconds, startSeconds = 3600, size = '160x90', fps = 30, video = 'null', audio = 'anull' } = options
  const into = await mkdtemp(join(directory, 'ts-'))
  const shift = `PTS+${startSeconds}/TB`
  const sound = `aevalsrc='0.5*sin(2*PI*t*(200+50*t))':s=44100:c=stereo:d=${seconds}`
  const args = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${fps}:duration=${seconds}`]
  if (audio !== null) args.push('-f', 'lavfi', '-i', sound, '-af', `${audio},asetpts=${shift}`)
  args.push('-vf', `${video},setpts=${shift}`, '-vsync', '0', '-copyts', '-enc_time_base', '-1')
  args.push('-c:v', 'libx264', '-preset', 'veryfast', '-profile:v', 'main', '-pix_fmt', 'yuv420p')
  args.push('-x264-params', `scenecut=0:keyint=${2 * fps}:min-keyint=${2 * fps}:threads=1`)
  args.push('-c:a', 'aac', '-b:a', '64k', '-muxdelay', '0', '-muxpreload', '0')
  args.push('-f', 'segment', '-segment_format', 'mpegts', '-segment_time', '0.1')
  await runFfmpeg([...args, join(into, 'seg_%05d.ts')])
  return readSegments(into)
}
