import { spawn, type ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { AUDIO_RATE, beepSamples, isInBeep } from './beep-track.ts'
import type { SimulatorClock } from './clock.ts'
import { createPicture } from './picture.ts'
import { PID } from './ts-tables.ts'
import { createTsSplitter, endSplitter, splitChunk, PTS_ORIGIN_SECONDS, type EncodedSegment } from './ts-splitter.ts'

/** Whose picture is shown, or none: black; and whether beeps are heard, or silence. */
export type Source = { sourceId: number | undefined; beeps: boolean }

/**
 * What an egress hands to its writer. The writer encodes and cuts; where and when pieces land is `landing.ts`'s affair,
 * so a test may plug in a writer that needs no encoder.
 */
export type WriterOptions = {
  clock: SimulatorClock
  ffmpegPath: string
  width: number
  height: number
  fps: number
  source: Source
  hasAudio: boolean
  segmentSeconds: number
  /** Wall clock of media time 0. */
  startedAtMs: number
  onSegment: (segment: EncodedSegment) => void
  /** The encoder died, or cannot keep up. */
  onFailure: (message: string) => void
}

export type SegmentWriter = {
  /** From now on. */
  show: (source: Source) => void
  /** Ends the stream; resolves when the last piece has been handed over. */
  finish: () => Promise<void>
  /** Ends the process at once; nothing more is handed over. */
  kill: () => void
  readonly pid: number | undefined
}

export type StartWriter = (options: WriterOptions) => SegmentWriter

// A machine that slept, or one too slow: the real thing ends with "pipeline frozen" too.
const FROZEN_MS = 30_000

/**
 * Frames are drawn on the grid `startedAt + k / fps` and carry that time, however late the timer fires: so nothing
 * drifts, and frame k has PTS 3600 s + k / fps.
 */
export const startSegmentWriter: StartWriter = (options) => {
  const child = spawn(options.ffmpegPath, encoderArguments(options), {
    stdio: ['pipe', 'pipe', 'ignore', options.hasAudio ? 'pipe' : 'ignore'],
    // A group of its own: Ctrl-C is the parent's to handle. It ends by itself when its input ends.
    detached: true,
  })
  const splitter = createTsSplitter(options.hasAudio, (segment) => {
    if (!killed) options.onSegment(segment)
  })
  let killed = false
  let finishing = false
  const feed = startFeed(options, child, () => fail('pipeline frozen'))
  const stdout = child.stdio[1] as Readable
  stdout.on('data', (chunk: Buffer) => splitChunk(splitter, chunk))
  const closed = new Promise<void>((resolve) => {
    child.on('error', (error) => fail(error.message))
    child.on('close', (code) => {
      if (!finishing) fail(`encoder ended with ${code}`)
      resolve()
    })
  })

  function fail(message: string): void {
    if (killed) return
    kill()
    options.onFailure(message)
  }

  function kill(): void {
    killed = true
    feed.stop()
    child.kill('SIGKILL')
  }

  return {
    get pid() {
      return child.pid
    },
    show: feed.show,
    finish: async () => {
      finishing = true
      feed.end()
      await closed
      if (!killed) endSplitter(splitter)
    },
    kill,
  }
}

type Feed = { show: SegmentWriter['show']; end: () => void; stop: () => void }

function startFeed(options: WriterOptions, child: ChildProcess, onFrozen: () => void): Feed {
  const { clock, fps, startedAtMs } = options
  const picture = createPicture(options.width, options.height)
  const inputs = [child.stdin, options.hasAudio ? child.stdio[3] : null].filter((one) => one !== null) as Writable[]
  for (const input of inputs) input.on('error', () => {})
  const [video, audio] = inputs
  let { source } = options
  let frame = 0
  let sample = 0
  let isAudible = false

  function tick(): void {
    const elapsedMs = clock.now() - startedAtMs
    const due = Math.floor((elapsedMs * fps) / 1000) + 1
    if (((due - frame) * 1000) / fps > FROZEN_MS) return onFrozen()
    for (; frame < due; frame++) {
      const { sourceId } = source
      const moment = { wallMs: Math.round(startedAtMs + (frame * 1000) / fps), sequence: frame }
      video?.write(sourceId === undefined ? picture.black() : picture.draw({ ...moment, sourceId }))
    }
    const samplesDue = Math.floor((frame * AUDIO_RATE) / fps)
    if (!isInBeep(startedAtMs, sample)) isAudible = source.beeps
    if (audio && samplesDue > sample) audio.write(beepSamples(startedAtMs, sample, samplesDue, isAudible))
    sample = samplesDue
    cancel = clock.after(startedAtMs + (frame * 1000) / fps - clock.now(), tick)
  }

  let cancel = clock.after(startedAtMs - clock.now(), tick)
  return {
    show: (changed) => {
      source = changed
    },
    end: () => {
      cancel()
      for (const input of inputs) input.end()
    },
    stop: () => {
      cancel()
      for (const input of inputs) input.destroy()
    },
  }
}

/** H.264 main with B-frames and one keyframe a segment, AAC, timestamps from 3600 s. */
function encoderArguments(options: WriterOptions): string[] {
  const { width, height, fps, hasAudio, segmentSeconds } = options
  const gop = fps * segmentSeconds
  const unprobed = '-probesize 32 -analyzeduration 0'
  return [
    '-hide_banner -nostdin -loglevel quiet',
    `-f rawvideo -pix_fmt yuv420p -s ${width}x${height} -framerate ${fps} ${unprobed} -i pipe:0`,
    hasAudio ? `-f s16le -ar ${AUDIO_RATE} -ac 2 ${unprobed} -i pipe:3` : '',
    hasAudio ? '-map 0:v -map 1:a -c:a aac -b:a 128k' : '-map 0:v',
    '-vf setsar=1 -c:v libx264 -preset superfast -profile:v main -threads 1 -crf 30',
    `-x264-params keyint=${gop}:min-keyint=${gop}:scenecut=0:bframes=2:b-adapt=0:rc-lookahead=0:ref=1`,
    '-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv',
    `-output_ts_offset ${PTS_ORIGIN_SECONDS} -muxdelay 0 -muxpreload 0 -flush_packets 1`,
    `-pes_payload_size 0 -mpegts_pmt_start_pid ${PID.pmt} -mpegts_start_pid ${PID.video}`,
    '-f mpegts pipe:1',
  ]
    .join(' ')
    .split(/ +/)
}
