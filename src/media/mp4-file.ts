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
  const { moov, places } = buildMoov(cut, wide)
  // The index holds places in the file, which begin after it: they are known when it has its size.
  const mediaStart = ftyp.length + boxes.bytesOf(moov) + mdat.length
  for (const place of places) tables.moveChunkOffsets(place, mediaStart, wide)
  const head = Buffer.concat([ftyp, ...moov, mdat])
  const { parts, durationTicks, frameCount } = cut
  return { head, parts, size: mediaStart + mediaBytes, durationTicks, frameCount }
}

/** The index in pieces, and which of them are the chunks' places, counted from the first byte of media. */
function buildMoov(
  { video, audio, chunks, durationTicks }: Tracks,
  wide: boolean,
): { moov: Buffer[]; places: Buffer[] } {
  const places = [chunkPlaces(chunks, 'video', wide)]
  const traks = videoTrak(video, durationTicks, [...videoTables(video, chunks), ...places])
  if (audio) {
    const place = chunkPlaces(chunks, 'audio', wide)
    traks.push(...audioTrak(audio, durationTicks, [...audioTables(audio, chunks), place]))
    places.push(place)
  }
  const mvhd = boxes.mvhd(TICKS_PER_SECOND, durationTicks, AUDIO_TRACK + 1)
  return { moov: boxes.container('moov', mvhd, ...traks), places }
}

function videoTables(video: VideoTrack, chunks: Chunk[]): Buffer[] {
  const { dts, pts, lastDuration, keys, sizes } = video
  const times = [tables.stts(dts, lastDuration), ...tables.ctts(dts, pts), tables.stss(keys)]
  return [boxes.stsd(videoEntry(video)), ...times, tables.stsc(chunksOf(chunks, 'video')), tables.stsz(sizes)]
}

function audioTables({ config, sizes }: AudioTrack, chunks: Chunk[]): Buffer[] {
  const times = tables.evenStts(sizes.length, FRAME_SAMPLES)
  return [boxes.stsd(audioEntry(config)), times, tables.stsc(chunksOf(chunks, 'audio')), tables.stsz(sizes)]
}

function videoTrak({ width, height, dts, lastDuration, edit }: VideoTrack, duration: number, stbl: Buffer[]): Buffer[] {
  const minf = boxes.container('minf', boxes.vmhd(), boxes.dinf(), ...boxes.container('stbl', ...stbl))
  const mdhd = boxes.mdhd(TICKS_PER_SECOND, dts.at(-1)! + lastDuration)
  const tkhd = boxes.tkhd(VIDEO_TRACK, duration, false, width, height)
  const edts = boxes.box('edts', boxes.elst(edit.duration, edit.mediaTime))
  return boxes.container('trak', tkhd, edts, ...boxes.container('mdia', mdhd, boxes.hdlr('vide'), ...minf))
}

function audioTrak({ config, sizes, edit }: AudioTrack, duration: number, stbl: Buffer[]): Buffer[] {
  const minf = boxes.container('minf', boxes.smhd(), boxes.dinf(), ...boxes.container('stbl', ...stbl))
  const mdhd = boxes.mdhd(sampleRateOf(config), sizes.length * FRAME_SAMPLES)
  const tkhd = boxes.tkhd(AUDIO_TRACK, duration, true, 0, 0)
  const edts = boxes.box('edts', boxes.elst(edit.duration, edit.mediaTime))
  return boxes.container('trak', tkhd, edts, ...boxes.container('mdia', mdhd, boxes.hdlr('soun'), ...minf))
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

function chunksOf(chunks: Chunk[], track: Chunk['track']): Chunk[] {
  return chunks.filter((chunk) => chunk.track === track)
}

function chunkPlaces(chunks: Chunk[], track: Chunk['track'], wide: boolean): Buffer {
  const offsets: number[] = []
  let at = 0
  for (const chunk of chunks) {
    if (chunk.track === track) offsets.push(at)
    at += chunk.bytes
  }
  return tables.chunkOffsets(offsets, wide)
}
