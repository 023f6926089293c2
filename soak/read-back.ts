import { createHash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import type { ClipAnswer } from '../src/http/answers.ts'
import { readPictureClock, type ClockFrame } from '../src/simulator/picture-clock.ts'
import { wasAway, untilAnswered, type PressDeps, type Promised } from './presses.ts'
import { SHARE, type Sources } from './sharers.ts'

/*
 * A clip is downloaded and every picture's clock read: what it shows is what it says.
 */

type Deps = Pick<PressDeps, 'url' | 'trouble' | 'broken'> & { sources: Sources }

/** The clocks involved agree to 25 ms (contract section 9). */
const WITHIN_MS = 30
const FRAME_MS = 1000 / SHARE.fps

/** Egress shows a share that came back a little after it did. */
const SWITCH_MS = 700

/** LiveKit tells when a share ended in whole seconds. */
const SECOND_MS = 1200

/** Waits until it is ready, and looks at all of it. */
export async function readBack(deps: Deps, promised: Promised): Promise<void> {
  const clip = await untilClip(deps, promised, ({ status }) => status !== 'waiting')
  if (!clip) return deps.broken(`clip ${promised.id} still waits`)
  promised.clip = clip
  if (clip.status === 'failed') {
    if (!isExcused(deps, promised.pressedAt - 60_000)) deps.broken(`clip ${clip.id} failed: ${clip.error}`)
    return
  }
  const bytes = await download(deps, clip)
  if (!bytes) return deps.broken(`clip ${clip.id} cannot be downloaded`)
  if (bytes.length !== clip.sizeBytes) deps.broken(`clip ${clip.id} has ${bytes.length} of ${clip.sizeBytes} bytes`)
  promised.seen = { sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length }
  const file = join(tmpdir(), `livekit-replay-soak-${clip.id}.mp4`)
  try {
    await writeFile(file, bytes)
    const frames = await readPictureClock(ffmpegInstaller.path, file)
    const wrong = findWrong(deps, promised, clip, frames)
    if (wrong) deps.broken(`clip ${clip.id} of ${promised.sharer.identity}: ${wrong}; ${JSON.stringify(clip.coverage)}`)
  } finally {
    await rm(file, { force: true })
  }
}

/** Asks for it until it is as it should be, for a minute of the service's life. */
export async function untilClip(
  deps: Deps,
  { id, token }: Promised,
  isSo: (clip: ClipAnswer) => boolean,
): Promise<ClipAnswer | undefined> {
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await pause(1000)) {
    const answer = await untilAnswered(deps, `/v1/clips/${id}`, { headers: { authorization: `Bearer ${token}` } })
    const clip = (await answer?.json()) as ClipAnswer
    if (answer?.status !== 200) {
      deps.broken(`clip ${id} was answered with ${answer?.status}: ${JSON.stringify(clip)}`)
      return undefined
    }
    if (isSo(clip)) return clip
  }
  return undefined
}

export async function download(deps: Deps, { links }: ClipAnswer): Promise<Buffer | undefined> {
  const { pathname, search } = new URL(links.file)
  for (let tries = 0; tries < 20; tries += 1) {
    const askedAt = Date.now()
    const answer = await untilAnswered(deps, pathname + search, {})
    if (answer?.status !== 200) return undefined
    const bytes = await answer.arrayBuffer().catch(() => undefined)
    if (bytes) return Buffer.from(bytes)
    if (!wasAway(deps.trouble, askedAt)) return undefined
  }
  return undefined
}

function isExcused({ trouble }: Deps, from: number): boolean {
  return trouble.excuses.some((excuse) => from <= excuse.to) || trouble.times.some(({ to = Infinity }) => from <= to)
}

/** What of the pictures is not as the clip says; undefined when all is. */
function findWrong(deps: Deps, promised: Promised, clip: ClipAnswer, frames: ClockFrame[]): string | undefined {
  const { coverage } = clip
  const last = frames.at(-1)
  if (!last || frames.length === 0) return 'it has no picture'
  const spans = coveredSpans(clip)
  const seconds = spans.reduce((sum, { from, to }) => sum + to - from, 0) / 1000
  if (Math.abs(seconds - coverage.coveredSeconds) > 0.02) return `it covers ${seconds} s`
  const lengthMs = last.ptsSeconds * 1000 + FRAME_MS
  if (Math.abs(lengthMs - coverage.coveredSeconds * 1000) > FRAME_MS + WITHIN_MS)
    return `its pictures last ${lengthMs.toFixed(0)} ms`
  if (frames.length < coverage.coveredSeconds * SHARE.fps - 2 * spans.length) return `it has ${frames.length} pictures`
  for (const frame of frames) {
    const found = wallsOf(spans, frame.ptsSeconds * 1000).map((wall) =>
      frame.wallMs === null ? findBlack(deps, promised, wall) : findStrange(deps, promised, wall, frame),
    )
    if (!found.includes(undefined)) return `picture ${frame.index} of ${frames.length} ${found[0]}`
  }
  return undefined
}

interface Covered {
  from: number
  to: number
}

function coveredSpans({ coverage }: ClipAnswer): Covered[] {
  const spans: Covered[] = []
  let from = Date.parse(coverage.coveredFrom)
  const end = Date.parse(coverage.coveredTo)
  for (const gap of coverage.gaps) {
    const [gapFrom, gapTo] = [Date.parse(gap.from), Date.parse(gap.to)]
    if (gapTo <= from || gapFrom >= end) continue
    if (gapFrom > from) spans.push({ from, to: gapFrom })
    from = Math.max(from, gapTo)
  }
  if (from < end) spans.push({ from, to: end })
  return spans
}

/** What is shorter is told neither as covered nor as a gap (`cut-plan.ts`), so a join may come so much sooner than told. */
const UNTOLD_MS = 6

/** The instants that may be shown at a place of the clip: gaps are cut out of it, and near a join there are two. */
function wallsOf(spans: Covered[], placeMs: number): number[] {
  let left = placeMs
  for (const [i, { from, to }] of spans.entries()) {
    const next = spans[i + 1]
    const isNear = next !== undefined && left >= to - from - UNTOLD_MS
    if (left < to - from - 1) return isNear ? [from + left, next.from] : [from + left]
    left -= to - from
  }
  return [(spans.at(-1)?.to ?? 0) + left]
}

function findStrange(
  { sources }: Deps,
  { sharer }: Promised,
  wall: number,
  { wallMs, sourceId }: ClockFrame,
): string | undefined {
  if (sources.get(sourceId ?? 0) !== sharer.identity) return `is of ${sources.get(sourceId ?? 0)}`
  const error = (wallMs ?? 0) - wall
  return Math.abs(error) > WITHIN_MS ? `was drawn ${error.toFixed(0)} ms off the instant that the clip says` : undefined
}

/** Black may be shown where a share came back, or where its end was told late. */
function findBlack(deps: Deps, { sharer }: Promised, wall: number): string | undefined {
  const isSwitching = sharer.spans.some(({ from }) => wall >= from - WITHIN_MS && wall <= from + SWITCH_MS)
  const isEnding = sharer.spans.some(({ to }) => to !== undefined && wall >= to - WITHIN_MS && wall <= to + SECOND_MS)
  if (isSwitching || isEnding) return undefined
  const untold = deps.trouble.excuses.some(({ from, to }) => from <= wall && wall <= to)
  return untold ? undefined : `is black, at ${new Date(wall).toISOString()}`
}
