/**
 * A clip as one MP4 file: its index in front, then the bytes of the sample files. Only the index is made here; size and
 * every byte's origin are known before any media is read.
 */
import { FRAME_SAMPLES, readAudioConfig } from './aac.ts'
import type { ClipCut } from './clip-cut.ts'
import * as boxes from './mp4-boxes.ts'
import * as tables from './sample-tables.ts'
import { TICKS_PER_SECOND } from './timeline.ts'
import type { AudioTrack, Chunk, Part, Tracks, VideoConfig, VideoTrack } from './tracks.ts'

const VIDEO_TRACK = 1
const AUDIO_TRACK = 2

export type Mp4File = {
  /** `ftyp`, `moov` and the header of `mdat`. */
  head: Buffer
  /** What follows the head, in order. */
  parts: Part[]
  size: number
  durationTicks: number
  /** Pictures that a viewer sees. */
  frameCount: number
}

export function buildMp4(cut: ClipCut): Mp4File {
  const mediaBytes = cut.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0)
  const mdat = boxes.mdatHeader(mediaBytes)
  const ftyp = boxes.ftyp('isom', 'isom', 'iso2', cut.video.inBand ? 'iso6' : 'avc1', 'mp41')
  const wide = mediaBytes + 2 ** 28 > 2 ** 32
  // The index holds places in the file, which begin after it: its size does not depend on them.
  const moovBytes = moov(cut, 0, wide).length
  const mediaStart = ftyp.length + moovBytes + mdat.length
  const head = Buffer.concat([ftyp, moov(cut, mediaStart, wide), mdat])
  const { parts, durationTicks, frameCount } = cut
  return { head, parts, size: mediaStart + mediaBytes, durationTicks, frameCount }
}

function moov(tracks: Tracks, mediaStart: number, wide: boolean): Buffer {
  const { video, audio, chunks, durationTicks } = tracks
  const places = { mediaStart, wide, durationTicks }
  const traks = [videoTrak(video, chunks, places)]
  if (audio) traks.push(audioTrak(audio, chunks, places))
  return boxes.box('moov', boxes.mvhd(TICKS_PER_SECOND, durationTicks, AUDIO_TRACK + 1), ...traks)
}

type Places = { mediaStart: number; wide: boolean; durationTicks: number }

function videoTrak(video: VideoTrack, chunks: Chunk[], places: Places): Buffer {
  const { width, height, dts, pts } = video
  const stbl = boxes.box(
    'stbl',
    boxes.stsd(videoEntry(video)),
    tables.stts(dts, video.lastDuration),
    ...tables.ctts(dts, pts),
    tables.stss(video.keys),
    ...chunkTables(video.sizes, chunks, 'video', places),
  )
  const minf = boxes.box('minf', boxes.vmhd(), boxes.dinf(), stbl)
  const mdhd = boxes.mdhd(TICKS_PER_SECOND, dts.at(-1)! + video.lastDuration)
  const tkhd = boxes.tkhd(VIDEO_TRACK, places.durationTicks, false, width, height)
  const elst = boxes.elst(video.edit.duration, video.edit.mediaTime)
  const mdia = boxes.box('mdia', mdhd, boxes.hdlr('vide'), minf)
  return boxes.box('trak', tkhd, boxes.box('edts', elst), mdia)
}

function audioTrak(audio: AudioTrack, chunks: Chunk[], places: Places): Buffer {
  const count = audio.sizes.length
  const stbl = boxes.box(
    'stbl',
    boxes.stsd(audioEntry(audio.config)),
    tables.evenStts(count, FRAME_SAMPLES),
    ...chunkTables(audio.sizes, chunks, 'audio', places),
  )
  const minf = boxes.box('minf', boxes.smhd(), boxes.dinf(), stbl)
  const mdhd = boxes.mdhd(sampleRateOf(audio.config), count * FRAME_SAMPLES)
  const tkhd = boxes.tkhd(AUDIO_TRACK, places.durationTicks, true, 0, 0)
  const elst = boxes.elst(audio.edit.duration, audio.edit.mediaTime)
  const mdia = boxes.box('mdia', mdhd, boxes.hdlr('soun'), minf)
  return boxes.box('trak', tkhd, boxes.box('edts', elst), mdia)
}

/** 8.8.1: an index without samples, for fragments that bring their own. */
export function initMoov(video: VideoConfig, audioConfig: number | null): Buffer {
  const visual = [boxes.hdlr('vide'), boxes.vmhd(), videoEntry(video), TICKS_PER_SECOND] as const
  const traks = [emptyTrak(boxes.tkhd(VIDEO_TRACK, 0, false, video.width, video.height), ...visual)]
  const trexes = [boxes.trex(VIDEO_TRACK)]
  if (audioConfig !== null) {
    const sound = [boxes.hdlr('soun'), boxes.smhd(), audioEntry(audioConfig), sampleRateOf(audioConfig)] as const
    traks.push(emptyTrak(boxes.tkhd(AUDIO_TRACK, 0, true, 0, 0), ...sound))
    trexes.push(boxes.trex(AUDIO_TRACK))
  }
  const mvhd = boxes.mvhd(TICKS_PER_SECOND, 0, AUDIO_TRACK + 1)
  return boxes.box('moov', mvhd, ...traks, boxes.box('mvex', ...trexes))
}

function emptyTrak(tkhd: Buffer, hdlr: Buffer, header: Buffer, entry: Buffer, timescale: number): Buffer {
  const none = tables.noSamples()
  const minf = boxes.box('minf', header, boxes.dinf(), boxes.box('stbl', boxes.stsd(entry), ...none))
  return boxes.box('trak', tkhd, boxes.box('mdia', boxes.mdhd(timescale, 0), hdlr, minf))
}

function videoEntry({ width, height, sps, pps, inBand }: VideoConfig): Buffer {
  return boxes.avcEntry(inBand ? 'avc3' : 'avc1', width, height, sps, pps)
}

function audioEntry(config: number): Buffer {
  return boxes.mp4aEntry(sampleRateOf(config), readAudioConfig(config)?.channels ?? 2, config)
}

export function sampleRateOf(config: number): number {
  return readAudioConfig(config)?.sampleRate ?? 44100
}

function chunkTables(sizes: Uint32Array, chunks: Chunk[], track: Chunk['track'], places: Places): Buffer[] {
  const offsets: number[] = []
  let at = places.mediaStart
  for (const chunk of chunks) {
    if (chunk.track === track) offsets.push(at)
    at += chunk.bytes
  }
  const own = chunks.filter((chunk) => chunk.track === track)
  return [tables.stsc(own), tables.stsz(sizes), tables.chunkOffsets(offsets, places.wide)]
}
