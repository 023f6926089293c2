import { execFile } from 'node:child_process'
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import ffmpeg from '@ffmpeg-installer/ffmpeg'
import { sql } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from '../src/db/connect.ts'

/** What egress would do for many shares at once: prepared segments are copied into place, playlists rewritten. */

export const SEGMENT_MS = 2000
export const SEGMENTS = 15
const LIVE_ENTRIES = 5

export async function addSessions(db: Db, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidv7())
  await sql`
    insert into egress_sessions (id, room, user_id, quality, egress_type, status, requested_by, created_at, started_at,
      clock_origin, clock_source)
    select id, 'bench', id, '720p', 'participant', 'active', 'webhook', now(), now(), now(), 'measured'
    from unnest(${ids}::uuid[]) as id`.execute(db)
  return ids
}

/** Half a minute of noise, so that the encoder needs all the bits it may have. */
export async function makeMaterial(directory: string, mbit: number): Promise<string[]> {
  await mkdir(directory)
  const isLarge = mbit > 3
  const [size, fps] = isLarge ? ['1280x720', 60] : ['640x360', 30]
  const seconds = (SEGMENTS * SEGMENT_MS) / 1000
  const kbit = mbit * 1000 - 128
  const gop = (fps * SEGMENT_MS) / 1000
  const args = [
    `-f lavfi -i testsrc2=size=${size}:rate=${fps}:duration=${seconds},noise=alls=60:allf=t`,
    `-f lavfi -i sine=frequency=440:sample_rate=44100:duration=${seconds}`,
    `-c:v libx264 -preset ultrafast -profile:v main -bf 2 -pix_fmt yuv420p -b:v ${kbit}k -minrate ${kbit}k -maxrate ${kbit}k`,
    `-bufsize ${kbit * 2}k -x264-params scenecut=0:keyint=${gop}:min-keyint=${gop}:nal-hrd=vbr`,
    '-c:a aac -b:a 128k -ac 2 -output_ts_offset 3600 -muxdelay 0 -muxpreload 0',
    `-f segment -segment_format mpegts -segment_time ${SEGMENT_MS / 1000 - 0.1} ${join(directory, 'seg_%05d.ts')}`,
  ]
  await promisify(execFile)(ffmpeg.path, ['-v', 'error', '-nostdin', ...args.join(' ').split(' ')])
  const names = (await readdir(directory)).toSorted()
  return names.slice(0, SEGMENTS).map((name) => join(directory, name))
}

/** One share: a segment each two seconds, told of when its live playlist is written. */
export async function startShare(
  directory: string,
  material: string[],
  onWritten: (at: number) => void,
): Promise<void> {
  await mkdir(directory, { recursive: true })
  const origin = Date.now()
  const startedAt = performance.now()
  for (const [n, source] of material.entries()) {
    await pause(Math.max(1, startedAt + n * SEGMENT_MS - performance.now()))
    await copyFile(source, join(directory, nameOf(n)))
    await writeFile(join(directory, 'index.m3u8'), playlist(origin, 0, n))
    const live = playlist(origin, Math.max(0, n + 1 - LIVE_ENTRIES), n)
    // From when it could be read at all: what is written in an instant is not written before.
    onWritten(performance.now())
    await writeFile(join(directory, 'live.m3u8'), live)
  }
}

const nameOf = (n: number) => `seg_${String(n).padStart(5, '0')}.ts`

function playlist(origin: number, from: number, to: number): string {
  const lines = ['#EXTM3U', '#EXT-X-VERSION:4', `#EXT-X-TARGETDURATION:2`, `#EXT-X-MEDIA-SEQUENCE:${from}`]
  for (let n = from; n <= to; n += 1)
    lines.push(
      `#EXT-X-PROGRAM-DATE-TIME:${new Date(origin + n * SEGMENT_MS).toISOString()}`,
      '#EXTINF:2.000,',
      nameOf(n),
    )
  return `${lines.join('\n')}\n`
}
