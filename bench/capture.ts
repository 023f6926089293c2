import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Beside } from './beside.ts'
import { MINUTES } from './capture-material.ts'
import { startStage, type Stage } from './capture-stage.ts'
import { median, p95 } from './measure.ts'
import { between, resetPeak, usageOf } from './process-usage.ts'
import { GROWTH, growthRow, JUDGED, judged, report, round } from './report.ts'

/*
 * `node bench/capture.ts [data path]`: what a capture of 1080p60 costs, beside copying the
 * same bytes and beside the usual pipeline, each in turns. The range has landed: the wait
 * for the last segment of a live press is not in it.
 */

const PRESSES = 40
const ROUNDS = 5

const run = promisify(execFile)

const stage = await startStage(process.argv[2])
try {
  const rows: string[][] = []
  const promises: string[][] = []
  for (const minutes of [1, 5, 10]) {
    const { ready, playable } = await measurePresses(stage, minutes * 60)
    const sides = await measureSides(stage, minutes)
    const rest = sides.ours.map(({ ms }) => ms)
    const of = (side: Beside[], value: (one: Beside) => number) => round(median(side.map(value)))
    const costs = (side: Beside[]) => [
      of(side, (one) => one.cpuSeconds),
      of(side, (one) => one.readMb),
      of(side, (one) => one.writtenMb),
      of(side, (one) => one.peakMb),
    ]
    const name = `${minutes} min`
    rows.push([
      `${name}: livekit-replay`,
      round(median(playable)),
      round(median(ready)),
      of(sides.ours, (one) => one.ms),
      ...costs(sides.ours),
    ])
    rows.push([`${name}: cp`, '', '', of(sides.cp, (one) => one.ms), ...costs(sides.cp)])
    rows.push([`${name}: cp and fsync`, '', '', of(sides.sync, (one) => one.ms), ...costs(sides.sync)])
    rows.push([`${name}: cp, fsync and sha256`, '', '', of(sides.sum, (one) => one.ms), ...costs(sides.sum)])
    const usual = of(sides.usual, (one) => one.ms)
    rows.push([`${name}: the usual pipeline`, usual, usual, usual, ...costs(sides.usual)])
    promises.push(judged(`${name}: press to ready, p95`, p95(ready), 50, 'ms'))
    promises.push(judged(`${name}: press to playable playlist, p95`, p95(playable), 50, 'ms'))
    if (minutes !== 10) continue
    const ratio = (side: Beside[]) => median(rest) / median(side.map(({ ms }) => ms))
    promises.push(judged('10 min: at rest beside cp', ratio(sides.cp), 1.3, 'times'))
    promises.push(judged('10 min: at rest beside cp and fsync', ratio(sides.sync), 1.3, 'times'))
    promises.push(judged('10 min: at rest beside cp, fsync and sha256', ratio(sides.sum), 1.3, 'times'))
  }
  const header = [
    '',
    'playable, ms',
    'ready, ms',
    'file at rest, ms',
    'CPU, s',
    'read, MB',
    'written, MB',
    'peak memory, MB',
  ]
  report('A capture, medians (memory of livekit-replay: of the whole service)', header, rows)
  report('Captures, as promised (what `cp` alone leaves is in memory; at rest is on the disk)', JUDGED, promises)
  await measureGrowth(stage)
} finally {
  await stage.stop()
}

/** Each a little later than the one before, so that no two are the same moment. */
function rangeOf({ originMs }: Stage, seconds: number, n: number): [Date, Date] {
  const to = new Date(originMs + MINUTES * 60_000 - 100 - n * 17)
  return [new Date(Math.max(originMs + 100, to.getTime() - seconds * 1000)), to]
}

async function measurePresses(
  on: Stage,
  seconds: number,
  times = PRESSES,
): Promise<{ ready: number[]; playable: number[] }> {
  const [ready, playable]: [number[], number[]] = [[], []]
  for (let n = 0; n < times; n += 1) {
    const pressedAt = performance.now()
    const clip = await on.capture(...rangeOf(on, seconds, n))
    ready.push(performance.now() - pressedAt)
    await (await fetch(clip.links.playlist)).text()
    playable.push(performance.now() - pressedAt)
    // A press of its own: the clip before it has its poster and is at rest, and so is the disk that deleted it.
    await (await fetch(clip.links.poster)).arrayBuffer()
    await on.untilStored(clip.id, 200)
    await on.remove(clip.id)
    await run('sync')
  }
  return { ready, playable }
}

type Sides = Record<'ours' | 'cp' | 'sync' | 'sum' | 'usual', Beside[]>

async function measureSides(on: Stage, minutes: number): Promise<Sides> {
  const sides: Sides = { ours: [], cp: [], sync: [], sum: [], usual: [] }
  const copy = join(on.directory, 'copy.mp4')
  for (let n = 0; n < ROUNDS; n += 1) {
    const { id, file, used } = await captureToRest(on, minutes * 60, PRESSES + n)
    sides.ours.push(used)
    for (const side of ['cp', 'sync', 'sum'] as const) {
      sides[side].push(await beside(side, file, copy))
      await rm(copy)
    }
    sides.usual.push(await beside('usual', on.segments, String(minutes), on.directory))
    await on.remove(id)
  }
  return sides
}

async function captureToRest(on: Stage, seconds: number, n: number) {
  const { pid } = on.service
  await resetPeak(pid)
  const before = await usageOf(pid)
  const pressedAt = performance.now()
  const { id } = await on.capture(...rangeOf(on, seconds, n))
  const { file } = await on.untilStored(id)
  const used: Beside = { ms: performance.now() - pressedAt, ...between(before, await usageOf(pid)) }
  return { id, file, used }
}

async function beside(...args: string[]): Promise<Beside> {
  const child = fork(new URL('beside.ts', import.meta.url), args)
  const [used] = (await once(child, 'message')) as [Beside]
  return used
}

async function measureGrowth(on: Stage): Promise<void> {
  const sizes = [36, 144, 576]
  const [ready, rest, cpu]: [number[], number[], number[]] = [[], [], []]
  for (const seconds of sizes) {
    ready.push(median((await measurePresses(on, seconds, ROUNDS)).ready))
    const runs = []
    for (let n = 0; n < ROUNDS; n += 1) {
      const { id, used } = await captureToRest(on, seconds, 2 * PRESSES + n)
      runs.push(used)
      await on.remove(id)
    }
    rest.push(median(runs.map(({ ms }) => ms)))
    cpu.push(median(runs.map(({ cpuSeconds }) => cpuSeconds)))
  }
  report('Growth with the seconds of a capture', GROWTH, [
    growthRow('press to ready', sizes, ready, 'ms'),
    growthRow('press to file at rest', sizes, rest, 'ms'),
    growthRow('CPU until at rest', sizes, cpu, 's'),
  ])
}
