/**
 * A clip as an MP4 knows it: two tracks, chunks in file order, and the bytes that fill them. Made from segments
 * (`clip-cut.ts`) or read back from a file (`mp4-read.ts`); written as one file (`mp4-file.ts`) or as fragments
 * (`fragmented-mp4.ts`).
 */
import type { PictureSize } from './sps.ts'

/** Bytes of a sample file, or bytes of our own. */
export type Part = { key: string; offset: number; length: number } | { bytes: Buffer[] }

/** `duration` in ticks; `mediaTime` in the track's own timescale. */
export type Edit = { mediaTime: number; duration: number }

export type VideoConfig = PictureSize & {
  sps: Buffer
  pps: Buffer
  /** Recordings with different parameter sets are joined, so every keyframe carries its own. */
  inBand: boolean
}

export type VideoTrack = VideoConfig & {
  /** In decode order; times in ticks, the first decode time is 0. */
  sizes: Uint32Array
  dts: Float64Array
  pts: Float64Array
  keys: number[]
  lastDuration: number
  edit: Edit
}

/** Every frame has 1024 samples, and no frame is missing: what was not recorded is silence. */
export type AudioTrack = { config: number; sizes: Uint32Array; edit: Edit }

export type Chunk = { track: 'video' | 'audio'; samples: number; bytes: number }

export type Tracks = { video: VideoTrack; audio: AudioTrack | null; chunks: Chunk[]; durationTicks: number }
