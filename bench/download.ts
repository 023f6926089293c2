import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { basename } from 'node:path'
import { startStage } from './capture-stage.ts'
import { median } from './measure.ts'
import { between, resetPeak, usageOf } from './process-usage.ts'
import { GROWTH, growthRow, JUDGED, judged, report, round } from './report.ts'

/*
 * `node bench/download.ts [data path]`: a clip at rest of one minute, downloaded by 1 and
 * by 50 clients at once, beside a plain static file server in a process of its own, in
 * turns. The clients share the cores.
 */

const CLIENTS = [1, 50]
const ROUNDS: Record<number, number> = { 1: 15, 50: 5 }

interface Download {
  ms: number
  cpuSeconds: number
  peakMb: number
}

const stage = await startStage(process.argv[2])
const agent = new Agent({ keepAlive: true })
try {
  const to = new Date(stage.originMs + 300_000)
  const virtual = await stage.capture(new Date(to.getTime() - 60_000), to)
  const unstored = await measure(virtual.links.file, 1, stage.service.pid)
  const { clip, file } = await stage.untilStored(virtual.id)
  const plain = fork(new URL('static-server.ts', import.meta.url), [file])
  const [port] = (await once(plain, 'message')) as [number]
  const beside = `http://127.0.0.1:${port}/${basename(file)}`
  const bytes = clip.sizeBytes ?? 0
  const rows: string[][] = []
  const promises: string[][] = []
  for (const clients of CLIENTS) {
    const [ours, theirs]: [Download[], Download[]] = [[], []]
    for (let n = 0; n < (ROUNDS[clients] ?? 5); n += 1) {
      ours.push(await measure(clip.links.file, clients, stage.service.pid))
      theirs.push(await measure(beside, clients, plain.pid))
    }
    const name = `${clients} at once`
    for (const [side, runs] of [
      [`${name}: livekit-replay`, ours],
      [`${name}: express.static`, theirs],
    ] as const) {
      const ms = median(runs.map((one) => one.ms))
      rows.push([
        side,
        round(ms),
        round((clients * bytes) / ms / 1e3),
        round(median(runs.map((one) => one.cpuSeconds))),
        round(Math.max(...runs.map((one) => one.peakMb))),
      ])
    }
    const peakMb = Math.max(...ours.map((one) => one.peakMb))
    if (clients === 50) promises.push(judged(`${name}: peak memory of the service`, peakMb, 200, 'MB'))
    const ratio = (of: (one: Download) => number) => median(ours.map(of)) / median(theirs.map(of))
    promises.push(
      judged(
        `${name}: time beside the static server`,
        ratio((one) => one.ms),
        1.1,
        'times',
      ),
    )
  }
  rows.push([
    '1, before it is at rest',
    round(unstored.ms),
    round(bytes / unstored.ms / 1e3),
    round(unstored.cpuSeconds),
    round(unstored.peakMb),
  ])
  report(
    `Downloads of ${round(bytes / 1e6)} MB, medians`,
    ['', 'all of them, ms', 'MB/s', 'CPU of the server, s', 'peak memory, MB'],
    rows,
  )
  report('Downloads, as promised', JUDGED, promises)
  const sizes = [1, 4, 16]
  const times: number[] = []
  for (const clients of sizes) {
    const runs: number[] = []
    for (let n = 0; n < 5; n += 1) runs.push((await measure(clip.links.file, clients, stage.service.pid)).ms)
    times.push(median(runs))
  }
  report('Growth with the clients at once', GROWTH, [growthRow('until all have it', sizes, times, 'ms')])
  plain.disconnect()
} finally {
  agent.destroy()
  await stage.stop()
}

async function measure(link: string, clients: number, pid: number | undefined): Promise<Download> {
  await resetPeak(pid)
  const before = await usageOf(pid)
  const begin = performance.now()
  await Promise.all(Array.from({ length: clients }, () => download(link)))
  const ms = performance.now() - begin
  const { cpuSeconds, peakMb } = between(before, await usageOf(pid))
  return { ms, cpuSeconds, peakMb }
}

async function download(link: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    get(link, { agent }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${link}: ${answer.statusCode}`))
      answer.resume().on('end', resolve).on('error', reject)
    }).on('error', reject)
  })
}
