/** What ffmpeg sees in a file: the pictures it decodes and the sound packets it finds. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runFfmpeg } from './material.ts'

export type Frame = { pts: number; md5: string }

/** Decodes every picture, with its time in ticks of 1/90000 s as the file has it. */
export async function decodedFrames(path: string): Promise<Frame[]> {
  const args = ['-copyts', '-i', path, '-map', '0:v', '-vsync', '0', '-enc_time_base', '-1', '-pix_fmt', 'yuv420p']
  return parseFrames(await runFfmpeg([...args, '-f', 'framemd5', '-']))
}

/** The AAC frames of a file, without headers, whatever its edit list says. */
export async function audioPackets(path: string): Promise<string[]> {
  const isTs = path.endsWith('.ts')
  const args = [...(isTs ? [] : ['-ignore_editlist', '1']), '-i', path, '-map', '0:a', '-c', 'copy']
  if (isTs) args.push('-bsf:a', 'aac_adtstoasc')
  return parseFrames(await runFfmpeg([...args, '-f', 'framemd5', '-'])).map((frame) => frame.md5)
}

/** The AAC frames of a transport stream, each with its time. */
export async function soundFrames(path: string): Promise<Frame[]> {
  const args = ['-copyts', '-i', path, '-map', '0:a', '-c', 'copy', '-bsf:a', 'aac_adtstoasc']
  return parseFrames(await runFfmpeg([...args, '-f', 'framemd5', '-']))
}

/** All segments of a recording in one file: within one egress that is how they join. */
export async function joinSegments(directory: string, segments: Buffer[]): Promise<string> {
  const path = join(directory, `joined-${Math.random().toString(36).slice(2)}.ts`)
  await writeFile(path, Buffer.concat(segments))
  return path
}

function parseFrames(text: string): Frame[] {
  const timebase = /#tb 0: (\d+)\/(\d+)/.exec(text)
  const scale = timebase ? (90000 * Number(timebase[1])) / Number(timebase[2]) : 1
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return lines.map((line) => {
    const columns = line.split(',').map((column) => column.trim())
    return { pts: Math.round(Number(columns[2]) * scale), md5: columns[5] ?? '' }
  })
}
