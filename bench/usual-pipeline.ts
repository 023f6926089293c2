import { execFile } from 'node:child_process'
import { copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'

const run = promisify(execFile)

/** As such services commonly do it: copy, concat demuxer, faststart, check, hash, move. */
export async function usualPipeline(segments: string, minutes: number, directory: string): Promise<void> {
  const work = join(directory, 'usual')
  await mkdir(work)
  const names = (await readdir(segments)).filter((name) => name.endsWith('.ts')).slice(-minutes * 30)
  for (const name of names) await copyFile(join(segments, name), join(work, name))
  await writeFile(join(work, 'list.txt'), names.map((name) => `file '${name}'\n`).join(''))
  const args = ['-f', 'concat', '-safe', '0', '-i', join(work, 'list.txt'), '-c', 'copy', '-movflags', '+faststart']
  await run(ffmpegInstaller.path, ['-hide_banner', '-loglevel', 'error', '-y', ...args, join(work, 'out.mp4')])
  await run(ffmpegInstaller.path, [
    '-hide_banner',
    '-i',
    join(work, 'out.mp4'),
    '-map',
    '0',
    '-c',
    'copy',
    '-t',
    '1',
    '-f',
    'null',
    '-',
  ])
  await run('sha256sum', [join(work, 'out.mp4')])
  await rename(join(work, 'out.mp4'), join(directory, 'usual.mp4'))
  await rm(work, { recursive: true })
}
