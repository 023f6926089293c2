import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { drawClock, readBeeps, readPictureClock } from '../../src/simulator/picture-clock.ts'

const ffmpeg = ffmpegInstaller.path
const RECORDING = 'recordings/participant-stopped/out/0192-s1'

describe('the clock in the picture', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'picture-clock-'))
  })
  after(() => rm(directory, { recursive: true }))

  for (const [width, height] of [
    [320, 180],
    [640, 360],
    [854, 480],
    [1280, 720],
    [1920, 1080],
    [2560, 1440],
  ] as const) {
    it(`is read as it was drawn at ${width}x${height}`, async () => {
      const moments = [0, 1, 2].map((i) => ({
        wallMs: 1_795_366_914_683 + 67 * i,
        sequence: 0xfffffd + i,
        sourceId: 255,
      }))
      const file = path.join(directory, `${width}.y4m`)
      await writeFile(file, y4m({ width, height }, moments))

      const frames = await readPictureClock(ffmpeg, file)

      expect(frames.map(({ wallMs, sequence, sourceId }) => ({ wallMs, sequence, sourceId }))).to.deep.equal(moments)
    })
  }

  it('is read in a letterboxed picture', async () => {
    const file = path.join(directory, 'letterboxed.y4m')
    const moment = { wallMs: 1_795_366_914_683, sequence: 7, sourceId: 9 }
    await writeFile(file, y4m({ width: 640, height: 480, barHeight: 60 }, [moment]))

    expect(await readPictureClock(ffmpeg, file)).to.deep.equal([{ index: 0, ptsSeconds: 0, ...moment }])
  })

  it('is not seen in a black picture', async () => {
    const file = path.join(directory, 'black.y4m')
    await writeFile(file, y4m({ width: 640, height: 360 }, [undefined]))

    const [frame] = await readPictureClock(ffmpeg, file)
    expect(frame).to.deep.equal({ index: 0, ptsSeconds: 0, wallMs: null, sequence: null, sourceId: null })
  })

  it('runs in a recorded segment beside its session clock, less than 30 ms away whenever the picture changes', async () => {
    const startedAtMs = await recordedStart()
    const frames = await readPictureClock(ffmpeg, `${RECORDING}/seg_00005.ts`)

    expect(frames).to.have.length(60)
    const changes = frames.filter(({ sequence }, i) => sequence !== frames[i - 1]?.sequence)
    expect(changes).to.have.length(30)
    for (const [i, { ptsSeconds, wallMs }] of changes.entries()) {
      expect(wallMs).to.be.closeTo(startedAtMs + (ptsSeconds - 3600) * 1000, 30)
      expect(wallMs).to.be.above(changes[i - 1]?.wallMs ?? 0)
    }
  })

  it('is read through a playlist too, where the first and the last seconds are black', async () => {
    const frames = await readPictureClock(ffmpeg, `${RECORDING}/live.m3u8`)

    expect(frames.filter(({ wallMs }) => wallMs !== null)).to.not.deep.equal([])
    expect(frames.at(-1)?.wallMs).to.equal(null)
  })

  it('has its beeps in a recorded segment where the full seconds are', async () => {
    const startedAtMs = await recordedStart()
    const beeps = await readBeeps(ffmpeg, `${RECORDING}/seg_00005.ts`)

    expect(beeps.map(({ secondMod10 }) => secondMod10)).to.deep.equal([5, 6])
    for (const { ptsSeconds, secondMod10 } of beeps) {
      const wallMs = startedAtMs + (ptsSeconds - 3600) * 1000
      expect(wallMs).to.be.closeTo(Math.round(wallMs / 1000) * 1000, 50)
      expect(Math.round(wallMs / 1000) % 10).to.equal(secondMod10)
    }
  })

  it('tells of a file that cannot be opened', async () => {
    const error = await readPictureClock(ffmpeg, path.join(directory, 'none.ts')).catch((one: unknown) => one)
    expect(String(error)).to.contain('No such file or directory')
  })
})

type Form = { width: number; height: number; barHeight?: number }
type Moment = { wallMs: number; sequence: number; sourceId: number }

function y4m({ width, height, barHeight = 0 }: Form, moments: (Moment | undefined)[]): Buffer {
  const frames = moments.flatMap((moment) => {
    const frame = Buffer.alloc(width * height * 1.5, 128).fill(60, 0, width * height)
    const picture = frame.subarray(width * barHeight, width * (height - barHeight))
    if (moment) drawClock(picture, { width, height: height - 2 * barHeight }, moment)
    return [Buffer.from('FRAME\n'), frame]
  })
  return Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F15:1 Ip A1:1 C420mpeg2\n`), ...frames])
}

/** `segmentResults[0].startedAt` of that recording. */
async function recordedStart(): Promise<number> {
  const lines = await readFile('recordings/participant-stopped/twirp.jsonl', 'utf8')
  const startedAt = /segment_count\\":\\"0\\", \\"started_at\\":\\"(\d{16,})/.exec(lines)?.[1]
  return Number(BigInt(startedAt ?? 0) / 1000n) / 1000
}
