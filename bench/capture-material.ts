import { execFile } from 'node:child_process'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'

const run = promisify(execFile)

export const SEGMENT_SECONDS = 2
export const MINUTES = 10
const COUNT = (MINUTES * 60) / SEGMENT_SECONDS
const LOOP_SECONDS = 20
const FRAMES_PER_SECOND = 60

/**
 * Ten minutes of 1080p60 at 6 Mbit/s with sound, as egress would have written them:
 * B-frames, one keyframe a segment, PTS from 3600 s. Twenty seconds are encoded and
 * repeated, each time at its own time; made once and kept.
 */
export async function makeCaptureMaterial(directory: string): Promise<string> {
  const done = join(directory, 'index.m3u8')
  if (await stat(done).catch(() => undefined)) return directory
  await mkdir(directory, { recursive: true })
  const loop = join(directory, '..', 'loop.ts')
  await encodeLoop(loop)
  await cutIntoSegments(loop, directory)
  await writeFile(done, playlist(await countSegments(directory)))
  return directory
}

async function encodeLoop(file: string): Promise<void> {
  const picture = `testsrc2=s=1920x1080:r=${FRAMES_PER_SECOND}:d=${LOOP_SECONDS},noise=alls=12:allf=t`
  const input = `-f lavfi -i ${picture} -f lavfi -i sine=f=440:r=44100:d=${LOOP_SECONDS}`
  const video =
    '-c:v libx264 -preset veryfast -profile:v main -pix_fmt yuv420p -bf 3 -b:v 6M -maxrate 6M -bufsize 12M ' +
    '-g 120 -keyint_min 120 -sc_threshold 0'
  await ffmpeg(`${input} ${video} -c:a aac -b:a 128k -ac 2 ${NO_DELAY} -f mpegts`, file)
}

async function cutIntoSegments(loop: string, directory: string): Promise<void> {
  const perLoop = LOOP_SECONDS / SEGMENT_SECONDS
  const frames = Array.from({ length: perLoop - 1 }, (_, n) => (n + 1) * SEGMENT_SECONDS * FRAMES_PER_SECOND)
  for (let n = 0; n * LOOP_SECONDS < MINUTES * 60; n += 1) {
    const offset = `${NO_DELAY} -output_ts_offset ${3600 + n * LOOP_SECONDS}`
    const cut = `-f segment -segment_frames ${frames.join(',')} -segment_format mpegts -segment_start_number ${n * perLoop}`
    await ffmpeg(`-i ${loop} -c copy ${offset} ${cut}`, join(directory, 'seg_%05d.ts'))
  }
}

const NO_DELAY = '-muxdelay 0 -muxpreload 0'

async function ffmpeg(args: string, output: string): Promise<void> {
  await run(ffmpegInstaller.path, ['-hide_banner', '-loglevel', 'error', '-y', ...args.split(' '), output])
}

async function countSegments(directory: string): Promise<number> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.ts'))
  if (names.length !== COUNT) throw new Error(`only ${names.length} segments were made`)
  return COUNT
}

function playlist(count: number): string {
  const head = ['#EXTM3U', '#EXT-X-VERSION:4', '#EXT-X-PLAYLIST-TYPE:EVENT', '#EXT-X-ALLOW-CACHE:NO']
  const entries = Array.from({ length: count }, (_, n) => [
    `#EXT-X-PROGRAM-DATE-TIME:${new Date(Date.UTC(2026, 0, 1) + n * SEGMENT_SECONDS * 1000).toISOString()}`,
    `#EXTINF:${SEGMENT_SECONDS.toFixed(3)},`,
    `seg_${String(n).padStart(5, '0')}.ts`,
  ])
  const rest = [`#EXT-X-TARGETDURATION:${SEGMENT_SECONDS}`, '#EXT-X-MEDIA-SEQUENCE:0', ...entries.flat()]
  return [...head, ...rest, '#EXT-X-ENDLIST', ''].join('\n')
}
