/**
 * One segment as egress wrote it, taken apart: pictures, sound and the codecs' configuration.
 *
 * - Total: any bytes give either frames that are whole or a reason why there are none. Nothing throws.
 * - Times are the file's own: 33 bits at 90 kHz, not unwrapped.
 * - What is returned points into two buffers; no picture is copied here.
 */
import { type AdtsFrame, readAdtsFrame, readAudioConfig } from './aac.ts'
import { findNalUnits, NAL, nalType } from './annex-b.ts'
import { readPictureSize } from './sps.ts'
import { collectUnits, findProgram, type Units } from './ts-packets.ts'

/** 33 bits (ISO/IEC 13818-1, 2.4.3.7). */
export const CLOCK_WRAP = 2 ** 33

export type Picture = {
  pts: number
  dts: number
  key: boolean
  /** `[start, end)` pairs of its NAL units in the video bytes, without delimiters, fillers and parameter sets. */
  nalUnits: number[]
}

export type Sound = { bytes: Buffer; config: number; frames: AdtsFrame[]; pts: number[] }

export type DemuxedSegment = {
  video: { bytes: Buffer; pictures: Picture[]; sps: Buffer[]; pps: Buffer[] }
  audio: Sound | null
  /** The file ends inside its last picture or sound, which was left out. */
  cut: boolean
}

export type Unreadable = { unreadable: string }

/**
 * Takes a segment apart. Say `whole` when something other than the file vouches that it is complete (the playlist lists
 * it): then a last picture of unknown length ends with the file. Without it such a picture is left out in the rare case
 * that nothing else shows its end.
 */
export function demuxSegment(file: Buffer, whole = false): DemuxedSegment | Unreadable {
  const program = findProgram(file)
  if (typeof program === 'string') return { unreadable: program }
  const units = collectUnits(file, program, whole)
  if (typeof units === 'string') return { unreadable: units }
  const video = readVideo(units.video)
  if (typeof video === 'string') return { unreadable: video }
  const audio = units.audio === null ? null : readAudio(units.audio)
  if (typeof audio === 'string') return { unreadable: audio }
  const begin = video.pictures[0]!.dts
  if (audio?.pts.some((pts) => Math.abs(clockDifference(pts, begin)) > LONGEST_TICKS)) return { unreadable: TOO_FAR }
  const cut = units.video.cut || (units.audio?.cut ?? false) || (audio?.cut ?? false)
  return { video, audio: audio && audio.frames.length > 0 ? audio : null, cut }
}

/** `later - earlier` on the 33-bit clock, in -2^32 to 2^32. */
export function clockDifference(later: number, earlier: number): number {
  const difference = (later - earlier) % CLOCK_WRAP
  if (difference >= CLOCK_WRAP / 2) return difference - CLOCK_WRAP
  return difference < -CLOCK_WRAP / 2 ? difference + CLOCK_WRAP : difference
}

function readVideo(units: Units): DemuxedSegment['video'] | string {
  const bytes = asBuffer(units.bytes)
  const video = { bytes, pictures: [] as Picture[], sps: [] as Buffer[], pps: [] as Buffer[] }
  for (let i = 0; i < units.ends.length; i += 1) {
    const found: number[] = []
    findNalUnits(bytes, units.starts[i]!, units.ends[i]!, found)
    const picture = readPicture(video, found, units.pts[i]!, units.dts[i]!)
    if (typeof picture === 'string') return picture
    const problem = refuse(picture, video.pictures.at(-1))
    if (problem) return problem
    video.pictures.push(picture)
  }
  const [first] = video.pictures
  if (!first) return 'no picture'
  const problem = refuseTimes(first, video.pictures)
  if (problem) return problem
  if (video.sps.length !== 1 || video.pps.length !== 1) return 'no parameter sets, or several'
  return readPictureSize(video.sps[0]!) ? video : 'the parameter set cannot be read'
}

/** One access unit; its parameter sets go to `video`. */
function readPicture(video: DemuxedSegment['video'], found: number[], pts: number, dts: number): Picture | string {
  const nalUnits: number[] = []
  let slices = 0
  let key = false
  for (let i = 0; i < found.length; i += 2) {
    const start = found[i]!
    const end = found[i + 1]!
    const type = nalType(video.bytes[start]!)
    if (type === NAL.delimiter && i > 0) return 'two pictures in one unit'
    if (type === NAL.delimiter || type === NAL.filler) continue
    if (type === NAL.sps) keepOnce(video.sps, video.bytes.subarray(start, end))
    else if (type === NAL.pps) keepOnce(video.pps, video.bytes.subarray(start, end))
    else nalUnits.push(start, end)
    if (type >= NAL.slice && type <= NAL.idr) slices += 1
    if (type === NAL.idr) key = true
  }
  return slices === 0 ? 'a unit without a picture' : { pts, dts, key, nalUnits }
}

/** Why a picture cannot follow the one before, if so. */
function refuse(picture: Picture, before: Picture | undefined): string | null {
  if (picture.pts < 0) return 'a picture without a time'
  if (!before && !picture.key) return 'no keyframe at the start'
  return before && clockDifference(picture.dts, before.dts) <= 0 ? 'decode times run backwards' : null
}

/** No segment is as long (ten seconds, and what egress adds at a republish), so no two of its times are as far apart. */
const LONGEST_TICKS = 60 * 90_000
const TOO_FAR = 'its times are too far apart'

/** What clips are cut by, and so must hold: a picture is shown when it was decoded, each at its own time, the keyframe first. */
function refuseTimes(first: Picture, pictures: Picture[]): string | null {
  const shown = new Set<number>()
  for (const { pts, dts } of pictures) {
    if (clockDifference(pts, dts) < 0) return 'a picture is shown before it is decoded'
    if (clockDifference(pts, first.dts) > LONGEST_TICKS) return TOO_FAR
    if (clockDifference(pts, first.pts) < 0) return 'a picture is shown before its keyframe'
    if (shown.has(pts)) return 'two pictures at one time'
    shown.add(pts)
  }
  return null
}

function keepOnce(sets: Buffer[], set: Buffer): void {
  if (!sets.some((known) => known.equals(set))) sets.push(set)
}

/**
 * ADTS frames may lie across units; a unit's time is that of the first frame that begins in it (ISO/IEC 13818-1,
 * 2.4.3.7), the others follow by their length.
 */
function readAudio(units: Units): (Sound & { cut: boolean }) | string {
  const bytes = asBuffer(units.bytes)
  const frames: AdtsFrame[] = []
  const pts: number[] = []
  let unit = 0
  let anchor = -1
  let sinceAnchor = 0
  for (let at = 0; at < bytes.length; at = frames.at(-1)!.end) {
    const frame = readAdtsFrame(bytes, at)
    if (!frame) return bytes.length - at < 7 ? cutAudio() : 'sound that is not AAC'
    if (frame.end > bytes.length) return cutAudio()
    if (frames[0] && frame.config !== frames[0].config) return 'the sound changes its format'
    while (unit < units.starts.length && units.starts[unit]! <= at) {
      if (units.pts[unit]! >= 0) {
        anchor = units.pts[unit]!
        sinceAnchor = 0
      }
      unit += 1
    }
    if (anchor < 0) return 'sound without a time'
    frames.push(frame)
    pts.push((anchor + Math.round((sinceAnchor * 1024 * 90000) / rateOf(frame.config))) % CLOCK_WRAP)
    sinceAnchor += 1
  }
  return { bytes, config: frames[0]?.config ?? 0, frames, pts, cut: false }

  function cutAudio() {
    return { bytes, config: frames[0]?.config ?? 0, frames, pts, cut: true }
  }
}

function rateOf(config: number): number {
  return readAudioConfig(config)?.sampleRate ?? 44100
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
