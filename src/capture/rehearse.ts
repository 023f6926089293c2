import { v7 as uuidv7 } from 'uuid'
import type { Trx } from '../db/connect.ts'
import { packFrameIndex } from '../media/frame-index.ts'
import { clipFragments } from '../media/fragmented-mp4.ts'
import { EGRESS_ORIGIN, TICKS_PER_SECOND } from '../media/timeline.ts'
import { recordSegments } from '../segment/segment.repo.ts'
import { recordSession, recordShareSpan } from '../session/session.repo.ts'
import type { ClipMedia } from './clip-media.ts'
import { clipPlaylist } from './clip-playlist.ts'
import { describeCoverage } from './coverage.ts'
import { commitCapture, type CaptureDeps } from './capture-clip.ts'
import { findSharedSession, type SharedSession } from './load-timeline.ts'

/*
 * The first press after a start would take ten times as long as the next: V8 has compiled
 * nothing of it yet (measured: 130 ms for the plan of ten minutes alone). So a share that
 * never was is captured some times over, in a transaction that is rolled back: nothing of
 * it is ever seen, no job is added and nobody is told.
 */

/** How often on each connection: on the first until V8 has compiled it well (measured), on others for their caches. */
const TIMES = [20, 3, 3]
const SEGMENTS = 300
const SEGMENT_MS = 2000
const FRAMES_PER_SECOND = 60
const SOUND_FRAMES = 86

/** 640x360, as x264 writes it for egress. */
const SPS = Buffer.from('6742c01fda014016e840000003004000000f23c60ca8', 'hex')
const PPS = Buffer.from('68ce3c80', 'hex')
/** AAC-LC, 44.1 kHz, stereo. */
const SOUND = 0x1210

class Rehearsed extends Error {}

/** Does what a press for ten minutes does, and takes it back. */
export async function rehearse(deps: CaptureDeps): Promise<void> {
  await rehearseOn(deps, TIMES)
}

/** One connection after the other, each held until all have had their turn, so that they are as many. */
async function rehearseOn(deps: CaptureDeps, [times = 0, ...others]: number[]): Promise<void> {
  const rehearsal = deps.db.transaction().execute(async (trx) => {
    const session = await recordShare(trx, deps.now())
    for (let n = 0; n < times; n += 1) await captureOnce(deps, trx, session, n)
    if (others.length > 0) await rehearseOn(deps, others)
    throw new Rehearsed()
  })
  await rehearsal.catch((error: unknown) => {
    if (!(error instanceof Rehearsed)) throw error
  })
}

async function captureOnce(deps: CaptureDeps, trx: Trx, session: SharedSession, n: number): Promise<void> {
  const id = uuidv7()
  const began = session.clock_origin?.getTime() ?? 0
  await commitCapture(
    {
      ...deps,
      config: { ...deps.config, quotaBytes: Number.MAX_SAFE_INTEGER },
      mediaCache: async (_key, make) => {
        const media = await make()
        writePlaylist(media)
        return media
      },
    },
    trx,
    id,
    {
      sessions: [session],
      userId: session.user_id,
      from: new Date(began + 100 + n),
      to: new Date(began + SEGMENTS * SEGMENT_MS - 100 - n),
      pressedAt: deps.now(),
      title: undefined,
      isExact: false,
      idempotencyKey: id,
      requestHash: id,
    },
  )
}

/** A press is followed by its playlist. */
function writePlaylist({ cut }: ClipMedia): void {
  const { durations, startOffsetSeconds } = clipFragments(cut)
  const coverage = describeCoverage([], new Date(0), new Date(0), [])
  clipPlaylist({ durations, startOffsetSeconds, coverage, isGrowing: false, linkOf: (name) => name })
}

/** Ten minutes of a share that has ended. */
async function recordShare(trx: Trx, now: Date): Promise<SharedSession> {
  const id = uuidv7()
  const began = new Date(now.getTime() - SEGMENTS * SEGMENT_MS)
  const row = {
    ...({ id, room: id, user_id: id, quality: '1080p', egress_type: 'participant', requested_by: 'api' } as const),
    ...({ status: 'ended', clock_origin: began, clock_source: 'measured' } as const),
    ...{ created_at: began, started_at: began, ended_at: now, expires_at: now },
  }
  await recordSession(trx, row)
  await recordShareSpan(trx, { session_id: id, track_sid: id, shared_from: began })
  const landed = Array.from({ length: SEGMENTS }, (_, sequence) => ({
    session_id: id,
    sequence,
    start_ms: sequence * SEGMENT_MS,
    duration_ms: SEGMENT_MS,
    size_bytes: 1,
    file_name: `seg_${sequence}.samples`,
    landed_at: now,
    unreadable: null,
    frame_index: packSegment(sequence),
  }))
  await recordSegments(trx, id, landed)
  const session = await findSharedSession(trx, id)
  if (!session) throw new Error('a rehearsal without a session')
  return session
}

/** Pictures of growing size with B-frames among them, and sound. */
function packSegment(sequence: number): Buffer {
  const step = TICKS_PER_SECOND / FRAMES_PER_SECOND
  const count = (SEGMENT_MS / 1000) * FRAMES_PER_SECOND
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
