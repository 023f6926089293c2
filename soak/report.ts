import type { Trouble } from './faults.ts'
import type { Ground } from './ground.ts'
import type { Presses } from './presses.ts'
import type { Sample } from './samples.ts'
import type { Sharer } from './sharers.ts'

interface Running {
  ground: Ground
  sharers: Sharer[]
  presses: Presses
  samples: Sample[]
  trouble: Trouble
  startedAt: number
  broken: number
}

/** One line of how things stand, and what went wrong since the one before. */
export function lineOf({ ground, sharers, presses, samples, trouble, startedAt, broken }: Running): string {
  const minute = ((Date.now() - startedAt) / 60_000).toFixed(1)
  const sharing = sharers.filter(({ track }) => track !== undefined).length
  const running = ground.simulator.egresses().filter(({ status, dead }) => status === 'EGRESS_ACTIVE' && !dead).length
  const last = samples.at(-1)
  const faults = trouble.recent.splice(0).join(', ') || 'calm'
  const counts = [
    `${sharing} sharing`,
    `${running} recorded`,
    `${presses.promised.length} clips`,
    `${presses.open.size} open`,
    `${broken} broken`,
    `${last?.rssMib.toFixed(0) ?? '?'} MiB`,
    `${last?.handles ?? '?'} handles`,
  ]
  return `${minute.padStart(5)} min  ${counts.join('  ')}  | ${faults}`
}

/** What a run was made of. */
export function describeRun(presses: Presses, trouble: Trouble, samples: Sample[]) {
  const rows = [
    ['clips promised', presses.promised.length],
    ['  of them deleted', presses.promised.filter(({ deleted }) => deleted).length],
    ['  of them with gaps', presses.promised.filter(({ clip }) => clip?.coverage.complete === false).length],
    ...[...presses.refused].map(([code, count]) => [`presses refused: ${code}`, count]),
    ...[...trouble.counts].map(([name, count]) => [`fault: ${name}`, count]),
    ['processes of the service', new Set(samples.map(({ pid }) => pid)).size],
    ['most memory, MiB', Math.round(Math.max(...samples.map(({ rssMib }) => rssMib)))],
    ['most handles', Math.max(...samples.map(({ handles }) => handles))],
  ] as [string, number][]
  return rows.map(([what, count]) => ({ what, count }))
}
