import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

const ROOT = new URL('../../', import.meta.url).pathname

/** The same as `src/compile-cache.js` has. */
export const COMPILE_CACHE = `${ROOT}node_modules/.cache/livekit-replay`

export interface RunningProcess {
  child: ChildProcess
  /** What it has printed so far, both streams. */
  output: () => string
  /** Resolves with the exit code, or the signal's name. */
  ended: Promise<number | string>
}

/** Runs one of the project's entry files as its user would. */
export function runNode(file: string, args: string[] = [], env: Record<string, string> = {}): RunningProcess {
  const child = spawn(process.execPath, [file, ...args], {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  return { child, output: () => output, ended }
}
