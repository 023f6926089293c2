import { readdir, readFile } from 'node:fs/promises'

/** What the service holds at a moment (Linux). */
export interface Sample {
  at: number
  pid: number
  rssMib: number
  handles: number
  cpuSeconds: number
}

export async function takeSample(pid: number | undefined): Promise<Sample | undefined> {
  if (pid === undefined) return undefined
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    const stat = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1)?.split(' ') ?? []
    const handles = (await readdir(`/proc/${pid}/fd`)).length
    const rssMib = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
    const cpuSeconds = (Number(stat[11]) + Number(stat[12])) / 100
    return { at: Date.now(), pid, rssMib, handles, cpuSeconds }
  } catch {
    return undefined
  }
}

/** By how much a value grows each minute: least squares. */
export function slopeAMinute(samples: Sample[], value: (sample: Sample) => number): number {
  const mean = (of: (sample: Sample) => number) => samples.reduce((sum, one) => sum + of(one), 0) / samples.length
  const [at, level] = [mean((one) => one.at), mean(value)]
  const spread = samples.reduce((sum, one) => sum + (one.at - at) ** 2, 0)
  const together = samples.reduce((sum, one) => sum + (one.at - at) * (value(one) - level), 0)
  return spread === 0 ? 0 : (together / spread) * 60_000
}

/** A run is judged by the second half of what its last process lived, if that was long enough to tell. */
const TELLING_MS = 5 * 60_000
const MOST_MIB_A_MINUTE = 1
/** They come and go by dozens; one leaked with each clip would be ten a minute. */
const MOST_HANDLES_A_MINUTE = 3

/** Memory and handles over the run. */
export function judgeLeaks(samples: Sample[], broken: (what: string) => void) {
  const last = samples.filter(({ pid }) => pid === samples.at(-1)?.pid)
  const telling = last.slice(Math.floor(last.length / 2))
  const isLong = (telling.at(-1)?.at ?? 0) - (telling[0]?.at ?? 0) >= TELLING_MS
  return [
    { of: 'memory', slope: slopeAMinute(telling, ({ rssMib }) => rssMib), most: MOST_MIB_A_MINUTE, unit: 'MiB' },
    { of: 'handles', slope: slopeAMinute(telling, ({ handles }) => handles), most: MOST_HANDLES_A_MINUTE, unit: '' },
  ].map(({ of, slope, most, unit }) => {
    const isBroken = isLong && slope > most
    if (isBroken) broken(`${of} grows by ${slope.toFixed(2)} ${unit} a minute`)
    const judged = isLong ? `${slope.toFixed(2)} ${unit} a minute` : 'the run is too short to tell'
    return { promise: `no leak of ${of} (${judged})`, looked: telling.length, broken: isBroken ? 1 : 0 }
  })
}
