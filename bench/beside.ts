import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { between, usageOf, type Usage } from './process-usage.ts'
import { usualPipeline } from './usual-pipeline.ts'

/*
 * What a capture is compared with, in a process of its own, which tells what that took:
 * `cp <from> <to>`, `sync <from> <to>` (and fsync), `sum <from> <to>` (and its sha256 too), `usual <segments> <minutes> <directory>`.
 */

export interface Beside extends Usage {
  ms: number
}

const run = promisify(execFile)
const [what, first = '', second = '', third = ''] = process.argv.slice(2)

async function act(): Promise<void> {
  if (what === 'usual') return usualPipeline(first, Number(second), third)
  await run('cp', [first, second])
  if (what === 'cp') return
  const handle = await open(second, 'r+')
  await handle.sync()
  await handle.close()
  if (what === 'sum') await pipeline(createReadStream(second, { highWaterMark: 1024 * 1024 }), createHash('sha256'))
}

let peakMb = 0
const timer = setInterval(() => void lookAtChildren(), 10)
const before = await usageOf('self')
const begin = performance.now()
await act()
const ms = performance.now() - begin
const used = between(before, await usageOf('self'))
clearInterval(timer)
process.send?.({ ...used, peakMb, ms } satisfies Beside)
process.disconnect()

/** The programs that do the work: this process is only who starts them. */
async function lookAtChildren(): Promise<void> {
  const children = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8').catch(() => '')
  for (const pid of children.trim().split(' ').filter(Boolean)) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    peakMb = Math.max(peakMb, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
  }
}
