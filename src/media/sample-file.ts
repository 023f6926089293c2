/**
 * A segment made ready for MP4: its sample file and its frame index.
 *
 * The sample file is one run of bytes that can stand in an `mdat` as it is: all pictures, each NAL unit behind a 4-byte
 * length (ISO/IEC 14496-15, 5.3), then all AAC frames without ADTS headers. Parameter sets are in the frame index only.
 */
import { FRAME_SAMPLES, readAudioConfig } from './aac.ts'
import type { AudioAnchor, AudioIndex, FrameIndex } from './frame-index.ts'
import { releaseBytes } from './release.ts'
import { clockDifference, type DemuxedSegment, demuxSegment, type Sound, type Unreadable } from './ts-demux.ts'

export type RepackedSegment = {
  sampleFile: Buffer
  frameIndex: FrameIndex
  /** The file ends inside a frame, which was left out. */
  cut: boolean
}

/** Never throws; `whole` as in `demuxSegment`. */
export function repackSegment(file: Buffer, whole = false): RepackedSegment | Unreadable {
  const demuxed = demuxSegment(file, whole)
  if ('unreadable' in demuxed) return demuxed
  const frameIndex = indexFrames(demuxed)
  let bytes = 0
  for (const size of frameIndex.video.sizes) bytes += size
  for (const size of frameIndex.audio?.sizes ?? []) bytes += size
  const sampleFile = Buffer.allocUnsafe(bytes)
  writeAudio(sampleFile, writeVideo(sampleFile, demuxed.video), demuxed.audio)
  releaseBytes(demuxed.video.bytes)
  if (demuxed.audio) releaseBytes(demuxed.audio.bytes)
  return { sampleFile, frameIndex, cut: demuxed.cut }
}

function indexFrames({ video, audio }: DemuxedSegment): FrameIndex {
  const { pictures } = video
  const firstDts = pictures[0]!.dts
  const sizes = new Uint32Array(pictures.length)
  const dts = new Int32Array(pictures.length)
  const pts = new Int32Array(pictures.length)
  const keys: number[] = []
  for (const [i, picture] of pictures.entries()) {
    let size = 0
    for (let n = 0; n < picture.nalUnits.length; n += 2) size += 4 + picture.nalUnits[n + 1]! - picture.nalUnits[n]!
    sizes[i] = size
    dts[i] = clockDifference(picture.dts, firstDts)
    pts[i] = clockDifference(picture.pts, firstDts)
    if (picture.key) keys.push(i)
  }
  // Copies: the bytes that they lie in are let go.
  const [sps, pps] = [Buffer.from(video.sps[0]!), Buffer.from(video.pps[0]!)]
  return { firstDts, sps, pps, video: { sizes, dts, pts, keys }, audio: audio && indexAudio(audio, firstDts) }
}

/**
 * Times of sound are rounded down to ticks, so they step by 2089 and 2090 at 44.1 kHz; one that fits its predecessors to
 * two ticks (22 us) is no news, and only breaks become anchors.
 */
function indexAudio({ config, frames, pts }: Sound, firstDts: number): AudioIndex {
  const frameTicks = (FRAME_SAMPLES * 90000) / (readAudioConfig(config)?.sampleRate ?? 44100)
  const anchors: AudioAnchor[] = []
  for (let frame = 0; frame < frames.length; frame += 1) {
    const anchor = anchors.at(-1)
    const time = clockDifference(pts[frame]!, firstDts)
    const predicted = anchor && anchor.pts + (frame - anchor.frame) * frameTicks
    if (predicted === undefined || Math.abs(time - predicted) > 2) anchors.push({ frame, pts: time })
  }
  return { config, sizes: Uint32Array.from(frames, (frame) => frame.end - frame.start), anchors }
}

function writeVideo(to: Buffer, { bytes, pictures }: DemuxedSegment['video']): number {
  let at = 0
  for (const { nalUnits } of pictures) {
    for (let n = 0; n < nalUnits.length; n += 2) {
      const start = nalUnits[n]!
      const end = nalUnits[n + 1]!
      to.writeUInt32BE(end - start, at)
      to.set(bytes.subarray(start, end), at + 4)
      at += 4 + end - start
    }
  }
  return at
}

function writeAudio(to: Buffer, from: number, audio: Sound | null): void {
  let at = from
  for (const { start, end } of audio?.frames ?? []) {
    to.set(audio!.bytes.subarray(start, end), at)
    at += end - start
  }
}
