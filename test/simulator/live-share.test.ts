import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { readBeeps, readPictureClock, type ClockFrame } from '../../src/simulator/picture-clock.ts'
import { isKeyframe, PACKET, PID } from '../../src/simulator/ts-tables.ts'
import { record, startRun, statusOf, until, type Run } from './run.ts'

const ffmpeg = ffmpegInstaller.path

describe('a simulated share', () => {
  let run: Run
  let startedAtMs: number
  let pids: number[]
  const landedAt = new Map<string, number>()

  before(async () => {
    run = await startRun()
    run.simulator.join('stage', { identity: 'alice' })
    const share = run.simulator.publishShare('stage', 'alice')
    const egressId = await record(run, 'stage', 'alice')
    startedAtMs = run.simulator.egresses()[0]?.startedAtMs ?? 0
    pids = run.simulator.egresses().flatMap(({ encoderPid }) => encoderPid ?? [])
    run.simulator.publishShareAudio('stage', 'alice')
    await landing(0)
    await landing(1)
    run.simulator.unpublish('stage', 'alice', share.trackSid)
    await landing(2)
    run.simulator.publishShare('stage', 'alice')
    await landing(4)
    await run.egress.stopEgress(egressId)
    await until('the end', () => statusOf(run, egressId) === 'EGRESS_COMPLETE')
  })
  after(() => run.stop())

  async function landing(index: number): Promise<void> {
    const file = segment(index)
    await until(file, () => stat(file).catch(() => undefined))
    landedAt.set(file, Date.now())
  }

  const segment = (index: number) => path.join(run.directory, 'alice', `seg_0000${index}.ts`)
  const playlist = () => path.join(run.directory, 'alice', 'index.m3u8')

  it('shows in each frame the wall clock of its session clock, less than 25 ms away', async () => {
    const seen = (await readPictureClock(ffmpeg, playlist())).filter(({ wallMs }) => wallMs !== null)

    expect(seen.length).to.be.above(30)
    for (const { ptsSeconds, wallMs } of seen) {
      expect(wallMs).to.be.closeTo(startedAtMs + (ptsSeconds - 3600) * 1000, 25)
    }
  })

  it('runs on over its segments without a jump or a gap, from 3600 s', async () => {
    const frames = await readPictureClock(ffmpeg, playlist())

    expect(frames[0]?.ptsSeconds).to.be.within(3600, 3600.065)
    for (const [i, frame] of frames.slice(1).entries()) {
      expect(frame.ptsSeconds - (frames[i]?.ptsSeconds ?? 0)).to.be.closeTo(1 / 15, 0.001)
    }
  })

  it('has one keyframe a segment, at its start, and a whole number of packets', async () => {
    for (const index of [0, 1, 2, 3, 4]) {
      const bytes = await readFile(segment(index))
      const packets = Array.from({ length: bytes.length / PACKET }, (_, i) =>
        bytes.subarray(i * PACKET, (i + 1) * PACKET),
      )
      const video = packets.filter((packet) => (packet.readUInt16BE(1) & 0x1fff) === PID.video)

      expect(bytes.length % PACKET).to.equal(0)
      expect(video.map((packet) => isKeyframe(packet)).indexOf(true)).to.equal(0)
      expect(video.filter((packet) => isKeyframe(packet))).to.have.length(1)
    }
  })

  it('beeps less than 20 ms from each full second', async () => {
    const beeps = await readBeeps(ffmpeg, playlist())

    expect(beeps.length).to.be.above(1)
    for (const { ptsSeconds, secondMod10 } of beeps) {
      const wallMs = startedAtMs + (ptsSeconds - 3600) * 1000
      expect(wallMs).to.be.closeTo(Math.round(wallMs / 1000) * 1000, 20)
      expect(Math.round(wallMs / 1000) % 10).to.equal(secondMod10)
    }
  })

  it('is black between two shares of one egress', async () => {
    const frames = await readPictureClock(ffmpeg, playlist())
    const pieces = frames.map(pictureOrBlack).filter((piece, i, all) => piece !== all[i - 1])

    expect(pieces).to.deep.equal(['source 1', 'black', 'source 3'])
  })

  it('lands a segment one duration and 0.67 s after its last frame', () => {
    const last = startedAtMs + 1000 - 1000 / 15
    const due = last + 1000 + 670
    expect(landedAt.get(segment(0))).to.be.within(due - 20, due + 400)
  })

  it('has lengths in the playlist that are the distances of the segments, and the last one is a frame short', async () => {
    const lengths = [...(await run.read('alice', 'index.m3u8')).matchAll(/EXTINF:([\d.]+)/g)].map(([, one]) =>
      Number(one),
    )
    const frames = await readPictureClock(ffmpeg, playlist())
    const played = (frames.at(-1)?.ptsSeconds ?? 0) - (frames[0]?.ptsSeconds ?? 0)

    expect(lengths.slice(0, -1).every((one) => one === 1)).to.equal(true)
    expect(lengths.reduce((sum, one) => sum + one, 0)).to.be.closeTo(played, 0.002)
  })

  it('leaves no process behind', async () => {
    expect(pids).to.have.length(1)
    for (const pid of pids) await until('the encoder to be gone', () => !isAlive(pid))
  })
})

describe('stopping the simulator', () => {
  it('ends every encoder, also of egresses that run', async () => {
    const run = await startRun()
    for (const identity of ['ada', 'ben']) {
      run.simulator.join('stage', { identity })
      run.simulator.publishShare('stage', identity, { width: 320, height: 180 })
    }
    await Promise.all([record(run, 'stage', 'ada'), record(run, 'stage', 'ben')])
    const pids = run.simulator.egresses().flatMap(({ encoderPid }) => encoderPid ?? [])

    expect(pids.filter(isAlive)).to.have.length(2)
    await run.stop()
    expect(pids.filter(isAlive)).to.deep.equal([])
  })
})

describe('a track composite egress', () => {
  it('has no audio when no audio track was named, and ends by itself with its track', async () => {
    const run = await startRun()
    run.simulator.join('stage', { identity: 'carol' })
    const { trackSid } = run.simulator.publishShare('stage', 'carol', { width: 801, height: 451 })
    const outputs = { segments: run.output('carol') }
    const { egressId } = await run.egress.startTrackCompositeEgress('stage', outputs, { videoTrackId: trackSid })
    await until('an active egress', () => statusOf(run, egressId) === 'EGRESS_ACTIVE')
    run.simulator.unpublish('stage', 'carol', trackSid)
    await until('the end', () => statusOf(run, egressId) === 'EGRESS_COMPLETE')

    const file = path.join(run.directory, 'carol', 'seg_00000.ts')
    expect((await readPictureClock(ffmpeg, file)).length).to.be.above(3)
    expect(String(await readBeeps(ffmpeg, file).catch((error: unknown) => error))).to.contain('matches no streams')
    await run.stop()
  })
})

function pictureOrBlack({ sourceId }: ClockFrame): string {
  return sourceId === null ? 'black' : `source ${sourceId}`
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
