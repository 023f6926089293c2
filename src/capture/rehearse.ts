import { setImmediate as breathe } from 'node:timers/promises'
import { packFrameIndex, unpackFrameIndex } from '../media/frame-index.ts'
import { clipFragments } from '../media/fragmented-mp4.ts'
import { EGRESS_ORIGIN, placeSegments, TICKS_PER_SECOND } from '../media/timeline.ts'
import { clipPlaylist } from './clip-playlist.ts'
import { makePlan } from './make-plan.ts'

/** After these V8 has compiled what a plan runs; the first takes ten times as long as the last (measured). */
const TIMES = 16
const SEGMENTS = 300
const SEGMENT_SECONDS = 2
const FRAMES_PER_SECOND = 60
const SOUND_FRAMES = 86

/** 640x360, as x264 writes it for egress. */
const SPS = Buffer.from('6742c01fda014016e840000003004000000f23c60ca8', 'hex')
const PPS = Buffer.from('68ce3c80', 'hex')
/** AAC-LC, 44.1 kHz, stereo. */
const SOUND = 0x1210

/**
 * Plans ten minutes of a share that never was, some times over: the first who presses
 * after a start must not wait for the compiler. Lets go between two of them.
 */
export async function rehearse(): Promise<void> {
  const packed = Array.from({ length: SEGMENTS }, (_, sequence) => packSegment(sequence))
  const to = new Date(SEGMENTS * SEGMENT_SECONDS * 1000)
  for (let n = 0; n < TIMES; n += 1) {
    await breathe()
    planOnce(packed, new Date(100 + n), new Date(to.getTime() - 100 - n))
  }
}

function planOnce(packed: Buffer[], from: Date, to: Date): void {
  const source = packed.map((bytes, sequence) => ({
    key: `rehearsal/${sequence}`,
    sequence,
    startMs: sequence * SEGMENT_SECONDS * 1000,
    frameIndex: unpackFrameIndex(bytes),
  }))
  const timeline = {
    sessionId: 'rehearsal',
    originMs: 0,
    clock: 'measured' as const,
    placed: placeSegments(source),
    unreadable: [],
    shared: [{ fromMs: 0, toMs: undefined }],
    expiredBefore: -Infinity,
    isGrowing: false,
  }
  const plan = makePlan([timeline], from, to)
  if (!plan) throw new Error('a rehearsal without a plan')
  const { durations, startOffsetSeconds } = clipFragments(plan.media.cut)
  clipPlaylist({ durations, startOffsetSeconds, coverage: plan.coverage, isGrowing: false, linkOf: (name) => name })
}

/** Pictures of growing size with B-frames among them, and sound. */
function packSegment(sequence: number): Buffer {
  const step = TICKS_PER_SECOND / FRAMES_PER_SECOND
  const count = SEGMENT_SECONDS * FRAMES_PER_SECOND
  const dts = Int32Array.from({ length: count }, (_, i) => i * step)
  return packFrameIndex({
    firstDts: EGRESS_ORIGIN + sequence * count * step,
    sps: SPS,
    pps: PPS,
    video: {
      sizes: Uint32Array.from({ length: count }, (_, i) => 8000 + i * 97),
      dts,
      pts: dts.map((time, i) => time + step * (1 + (i % 3))),
      keys: [0],
    },
    audio: {
      config: SOUND,
      sizes: Uint32Array.from({ length: SOUND_FRAMES }, (_, i) => 300 + i),
      anchors: [{ frame: 0, pts: 0 }],
    },
  })
}
