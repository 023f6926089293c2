import { readFile, writeFile } from 'node:fs/promises'

/** What a process used so far, with the children that it has waited for (Linux). */
export interface Usage {
  cpuSeconds: number
  /** Through the file system and its cache. */
  readMb: number
  writtenMb: number
  nowMb: number
  peakMb: number
}

const TICKS_PER_SECOND = 100

export async function usageOf(pid: number | string | undefined): Promise<Usage> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const io = await readFile(`/proc/${pid}/io`, 'utf8')
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const numberOf = (text: string, name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1])
  return {
    cpuSeconds: fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND,
    readMb: numberOf(io, 'rchar') / 1e6,
    writtenMb: numberOf(io, 'wchar') / 1e6,
    nowMb: numberOf(status, 'VmRSS') / 1024,
    peakMb: numberOf(status, 'VmHWM') / 1024,
  }
}

/** The peak is counted from here. */
export async function resetPeak(pid: number | undefined): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => undefined)
}

/** What was used between two looks. */
export function between(before: Usage, after: Usage): Usage {
  return {
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    readMb: after.readMb - before.readMb,
    writtenMb: after.writtenMb - before.writtenMb,
    nowMb: after.nowMb,
    peakMb: after.peakMb,
  }
}
