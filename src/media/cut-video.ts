/**
 * The pictures of a clip: chosen from segments, put on one timeline. Pure.
 *
 * - A span begins with the picture that is on screen at `fromTicks` and is exactly as long as asked for. Its samples
 *   begin at the keyframe before and end with the last one in decode order that is shown before `toTicks`.
 * - Pictures decoded but not shown: before the first span they keep their time, after the last they follow in steps of a
 *   tick (or Chromium plays on to their end), and the edit list leaves them out. At a join of two spans they are squeezed into a tick each. An edit list with an entry a span would
 *   be the tool for that, but ffmpeg, and with it Chromium, puts the second entry a picture too early and shows a
 *   hidden one. Where spans meet at a keyframe there is nothing to hide.
 * - Presentation times are real; decode times are moved only where a join leaves no room.
 */
import { makeRising } from './decode-times.ts'
import type { PlacedSegment, TickRange } from './timeline.ts'
import type { Edit } from './tracks.ts'

export type Span = TickRange & {
  /** The segments of one recording; may begin one earlier, for its last sound. */
  segments: PlacedSegment[]
}

/** The samples `[first, last]` of one segment. */
export type VideoRun = { span: number; segment: PlacedSegment; first: number; last: number }

export type VideoCut = {
  runs: VideoRun[]
  dts: Float64Array
  pts: Float64Array
  lastDuration: number
  edit: Edit
  /** What each span became: `fromTicks` moved to the picture shown then. */
  spans: TickRange[]
  durationTicks: number
  frameCount: number
}

export function cutVideo(spans: Span[]): VideoCut {
  const cuts = spans.map((span, i) => cutSpan(span, i))
  const runs = cuts.flatMap((cut) => cut.runs)
  const count = runs.reduce((sum, run) => sum + run.last - run.first + 1, 0)
  const times = { dts: new Float64Array(count), pts: new Float64Array(count) }
  let sample = 0
  let end = 0
  for (const [i, cut] of cuts.entries()) {
    placeSpan(times, cut, sample, end)
    if (i > 0) squeeze(times, cuts[i - 1]!, cut, sample, end)
    end += cut.toTicks - cut.fromTicks
    sample += cut.count
  }
  for (const [i, hidden] of cuts.at(-1)!.tail.entries()) times.pts[sample - cuts.at(-1)!.count + hidden] = end + i
  const { origin, lastDuration } = settle(times, end)
  const frameCount = count - cuts[0]!.lead.length - cuts.at(-1)!.tail.length
  const edit = { mediaTime: -origin, duration: end }
  const ranges = cuts.map(({ fromTicks, toTicks }) => ({ fromTicks, toTicks }))
  return { runs, ...times, lastDuration, edit, spans: ranges, durationTicks: end, frameCount }
}

type SpanCut = TickRange & {
  runs: VideoRun[]
  count: number
  /** The picture that is shown at `fromTicks`, as its own time has it: earlier than `fromTicks` if it is held. */
  shownPts: number
  /** Samples not shown, in order of presentation: before the span, and after it. */
  lead: number[]
  tail: number[]
}

function cutSpan(span: Span, number: number): SpanCut {
  const { segments } = span
  const asked = Math.round(span.fromTicks)
  const toTicks = Math.round(span.toTicks)
  const begin = shownAt(segments, asked)
  if (!begin) throw new RangeError('a span without segments')
  const { segment, pts: shownPts } = begin
  const held = asked - shownPts > segment.frameTicks * 1.5 || segmentEnds(segments, begin, asked)
  const fromTicks = held ? asked : shownPts
  if (toTicks <= fromTicks) throw new RangeError('a span without pictures')
  const runs: VideoRun[] = []
  for (const candidate of segments.slice(segments.indexOf(segment))) {
    const first = candidate === segment ? keyBefore(segment, begin.sample) : 0
    const last = lastShownBefore(candidate, toTicks)
    if (last >= first) runs.push({ span: number, segment: candidate, first, last })
  }
  const count = runs.reduce((sum, run) => sum + run.last - run.first + 1, 0)
  return { fromTicks, toTicks, runs, count, shownPts, ...hiddenSamples(runs, shownPts, toTicks) }
}

type Shown = { segment: PlacedSegment; sample: number; pts: number }

/** The picture on screen at an instant: the last one before it, else the very first. */
function shownAt(segments: PlacedSegment[], ticks: number): Shown | null {
  let segment = segments[0]
  for (const candidate of segments) if (candidate.fromTicks <= ticks) segment = candidate
  if (!segment) return null
  const { pts } = segment.frameIndex.video
  const at = ticks - segment.offset
  let sample = 0
  for (let i = 1; i < pts.length; i += 1) {
    const [one, best] = [pts[i]!, pts[sample]!]
    if (best > at ? one < best : one <= at && one > best) sample = i
  }
  return { segment, sample, pts: segment.offset + pts[sample]! }
}

/** Whether the shown picture is the last before missing time, and that time has begun. */
function segmentEnds(segments: PlacedSegment[], { segment }: Shown, ticks: number): boolean {
  return ticks >= segment.toTicks && segments.at(-1) !== segment
}

function keyBefore({ frameIndex }: PlacedSegment, sample: number): number {
  let key = 0
  for (const candidate of frameIndex.video.keys) if (candidate <= sample) key = candidate
  return key
}

function lastShownBefore({ frameIndex, offset, toTicks }: PlacedSegment, ticks: number): number {
  const { pts } = frameIndex.video
  if (toTicks <= ticks) return pts.length - 1
  let last = pts.length - 1
  while (last >= 0 && offset + pts[last]! >= ticks) last -= 1
  return last
}

function hiddenSamples(runs: VideoRun[], shownPts: number, toTicks: number): { lead: number[]; tail: number[] } {
  const lead: [sample: number, pts: number][] = []
  const tail: [sample: number, pts: number][] = []
  let sample = 0
  for (const { segment, first, last } of runs) {
    const { pts } = segment.frameIndex.video
    for (let i = first; i <= last; i += 1, sample += 1) {
      const time = segment.offset + pts[i]!
      if (time < shownPts) lead.push([sample, time])
      else if (time >= toTicks) tail.push([sample, time])
    }
  }
  return { lead: inOrder(lead), tail: inOrder(tail) }
}

function inOrder(hidden: [sample: number, pts: number][]): number[] {
  return hidden.toSorted((a, b) => a[1] - b[1]).map(([sample]) => sample)
}

type Times = { dts: Float64Array; pts: Float64Array }

/** Real times, so that `fromTicks` comes to lie at `start`; a held picture is shown from there. */
function placeSpan({ dts, pts }: Times, cut: SpanCut, at: number, start: number): void {
  let sample = at
  for (const { segment, first, last } of cut.runs) {
    const { video } = segment.frameIndex
    const shift = segment.offset - cut.fromTicks + start
    for (let i = first; i <= last; i += 1, sample += 1) {
      dts[sample] = video.dts[i]! + shift
      const shown = cut.shownPts === segment.offset + video.pts[i]!
      pts[sample] = shown ? start : video.pts[i]! + shift
    }
  }
}

/**
 * Gives the pictures that are not shown at a join one tick (11 us) each, the last ones before it: too short for any
 * screen. They are decoded as late as possible: `settle` puts that right before what follows.
 */
function squeeze({ dts, pts }: Times, before: SpanCut, cut: SpanCut, at: number, join: number): void {
  const hidden = [...before.tail.map((sample) => at - before.count + sample), ...cut.lead.map((sample) => at + sample)]
  if (hidden.length === 0) return
  const taken = new Set(pts.subarray(at - before.count, at))
  let tick = join
  for (const sample of hidden.toReversed()) {
    do tick -= 1
    while (taken.has(tick))
    pts[sample] = tick
  }
  for (const sample of cut.lead) dts[at + sample] = Infinity
}

/** Makes decode times rise and begin with 0; gives the last sample's duration, which reaches the end of the clip. */
function settle({ dts, pts }: Times, end: number): { origin: number; lastDuration: number } {
  const last = dts.length - 1
  makeRising(dts, pts)
  const origin = dts[0]!
  let delay = Infinity
  for (let i = 0; i <= last; i += 1) {
    dts[i] = dts[i]! - origin
    pts[i] = pts[i]! - origin
    delay = Math.min(delay, pts[i]! - dts[i]!)
  }
  return { origin, lastDuration: Math.max(1, end - origin - delay - dts[last]!) }
}
