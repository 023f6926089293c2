/** The movie fragment box (ISO/IEC 14496-12, 8.8): what the samples of the `mdat` right after it are. */
import { box, fullBox, mdatHeader, uint32, uint64 } from './mp4-boxes.ts'

export type FragmentSample = { size: number; duration: number; offset: number; key: boolean }

/** Samples of a track that lie together, `dataOffset` bytes after the first byte of media. */
export type TrackRun = { track: number; baseTime: number; dataOffset: number; samples: FragmentSample[] }

/** `sample_flags` (8.8.3.1): a keyframe depends on nothing; any other sample is not a sync sample. */
const KEY_FLAGS = 0x02000000
const OTHER_FLAGS = 0x01010000

/** `sequence` counts from 1. Runs of one track must be in order of time and without a break. */
export function moof(sequence: number, runs: TrackRun[]): Buffer {
  const filled = runs.filter((run) => run.samples.length > 0)
  // Offsets count from the first byte of the `moof`, whose size does not depend on them.
  const bytes = build(sequence, filled, 0).length
  return build(sequence, filled, bytes + mdatHeader(0).length)
}

function build(sequence: number, runs: TrackRun[], mediaStart: number): Buffer {
  const tracks = [...new Set(runs.map((run) => run.track))].toSorted((a, b) => a - b)
  const trafs = tracks.map((track) => {
    const own = runs.filter((run) => run.track === track)
    // Flag 0x020000: offsets are relative to the `moof` (8.8.7).
    const tfhd = fullBox('tfhd', 0, 0x020000, uint32(track))
    const tfdt = fullBox('tfdt', 1, 0, uint64(own[0]!.baseTime))
    return box('traf', tfhd, tfdt, ...own.map((run) => trun(run, mediaStart)))
  })
  return box('moof', fullBox('mfhd', 0, 0, uint32(sequence)), ...trafs)
}

/** 8.8.8, version 1 (signed offsets); flags: data offset, and duration, size, flags, offset of every sample. */
function trun({ samples, dataOffset }: TrackRun, mediaStart: number): Buffer {
  const table = Buffer.allocUnsafe(samples.length * 16)
  for (const [i, sample] of samples.entries()) {
    table.writeUInt32BE(sample.duration, i * 16)
    table.writeUInt32BE(sample.size, i * 16 + 4)
    table.writeUInt32BE(sample.key ? KEY_FLAGS : OTHER_FLAGS, i * 16 + 8)
    table.writeInt32BE(sample.offset, i * 16 + 12)
  }
  return fullBox('trun', 1, 0xf01, uint32(samples.length, mediaStart + dataOffset), table)
}
