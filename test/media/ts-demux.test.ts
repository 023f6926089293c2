import { expect } from 'chai'
import fc from 'fast-check'
import { sampleFileBytes } from '../../src/media/frame-index.ts'
import { type RepackedSegment, repackSegment } from '../../src/media/sample-file.ts'
import { demuxSegment, type DemuxedSegment } from '../../src/media/ts-demux.ts'
import { makeSegments, PARTICIPANT, readSegments, TRACK_COMPOSITE, useDirectory } from './material.ts'
import { muxTs } from './mux-ts.ts'

function readable(file: Buffer, whole = false): DemuxedSegment {
  const demuxed = demuxSegment(file, whole)
  if ('unreadable' in demuxed) throw new Error(demuxed.unreadable)
  return demuxed
}

function reason(file: Buffer): string {
  const demuxed = demuxSegment(file)
  return 'unreadable' in demuxed ? demuxed.unreadable : 'readable'
}

/** Every picture and every sound as bytes and time. */
function contents({ video, audio }: DemuxedSegment): { pictures: string[]; sounds: string[] } {
  const pictures = video.pictures.map(({ pts, dts, key, nalUnits }) => {
    const bytes = nalUnits.flatMap((start, i) =>
      i % 2 ? [] : [video.bytes.toString('latin1', start, nalUnits[i + 1])],
    )
    return JSON.stringify([pts, dts, key, bytes])
  })
  const sounds = (audio?.frames ?? []).map(({ start, end }, i) =>
    JSON.stringify([audio!.pts[i], audio!.bytes.toString('latin1', start, end)]),
  )
  return { pictures, sounds }
}

function isPrefix(part: string[], all: string[]): boolean {
  return part.length <= all.length && part.every((item, i) => item === all[i])
}

describe('a segment', () => {
  const directory = useDirectory()
  let recorded: Buffer[]

  before(async () => {
    recorded = await readSegments(PARTICIPANT)
  })

  it("of LiveKit's has all of its frames", () => {
    const demuxed = recorded.map((file) => readable(file))
    expect(demuxed.every(({ cut }) => !cut)).to.equal(true)
    expect(demuxed.slice(0, 4).map(({ video }) => video.pictures.length)).to.deep.equal([60, 60, 60, 60])
    expect(demuxed[1]!.video.pictures[0]).to.include({ pts: 324180000, dts: 324174000, key: true })
    expect(demuxed[1]!.audio!.pts.slice(0, 3)).to.deep.equal([324181812, 324183902, 324185991])
  })

  it('gives an exact prefix or nothing when it is cut, at every length', function () {
    this.timeout(30_000)
    const file = recorded[31]!
    const all = contents(readable(file))
    for (let length = 0; length < file.length; length += 1) {
      const demuxed = demuxSegment(file.subarray(0, length))
      if ('unreadable' in demuxed) continue
      const part = contents(demuxed)
      if (!isPrefix(part.pictures, all.pictures) || !isPrefix(part.sounds, all.sounds)) expect.fail(`at ${length}`)
    }
  })

  it('with pictures of unknown length gives an exact prefix too', async function () {
    this.timeout(30_000)
    const [file] = await makeSegments(directory(), { seconds: 2 })
    const all = contents(readable(file!, true))
    expect(all.pictures).to.have.length(60)
    for (let length = 0; length < file!.length; length += length % 188 === 0 ? 1 : 187) {
      const demuxed = demuxSegment(file!.subarray(0, length))
      if ('unreadable' in demuxed) continue
      const part = contents(demuxed)
      if (!isPrefix(part.pictures, all.pictures) || !isPrefix(part.sounds, all.sounds)) expect.fail(`at ${length}`)
    }
  })

  it('never throws, whatever its bytes are', () => {
    const file = recorded[3]!
    const damage = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(damage, (changes) => {
        const damaged = Buffer.from(file)
        for (const [at, value] of changes) damaged[at] = value
        repackSegment(damaged)
      }),
      { numRuns: 400 },
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void repackSegment(Buffer.from(bytes), true)))
  })

  it('says why it cannot be read', async () => {
    const file = recorded[3]!
    expect(reason(Buffer.alloc(0))).to.equal('shorter than one packet')
    expect(reason(Buffer.alloc(188 * 20, 1))).to.equal('not a transport stream')
    expect(reason(withoutPid(file, 0))).to.equal('no program table')
    expect(reason(withoutPid(file, 0x20))).to.equal('no H.264 stream')
    expect(reason(withoutPid(file, 0x41))).to.equal('no picture')
    expect(reason(Buffer.concat([file.subarray(0, 188 * 4), file.subarray(188 * 5)]))).to.equal('a packet is missing')
    const slipped = Buffer.concat([file.subarray(0, 188 * 9), Buffer.from([0]), file.subarray(188 * 9)])
    expect(reason(slipped)).to.equal('lost the packet grid')
    const [, second] = await makeSegments(directory(), { seconds: 4 })
    const without = dropFirstPicture(second!)
    expect(reason(without)).to.equal('no keyframe at the start')
  })

  it('is not read when its times cannot be true: no clip could be cut from it', () => {
    const [sps, pps] = ['6742c01fda014016e840000003004000000f23c60ca8', '68ce3c80'].map((hex) =>
      Buffer.from(hex, 'hex'),
    )
    const long = Buffer.from([0, 0, 0, 1])
    const first = Buffer.concat([long, sps!, long, pps!, long, slice(0x65, 400)])
    const withTimes = (...times: [pts: number, dts: number][]) =>
      muxTs(times.map(([pts, dts], i) => ({ pts, dts, payload: i ? Buffer.concat([long, slice(0x41, 200)]) : first })))
    const START = 324_000_000
    const at = (pts: number, dts: number): [number, number] => [START + pts, START + dts]
    expect(reason(withTimes(at(3000, 0), at(9000, 3000), at(6000, 6000)))).to.equal('readable')
    for (const [times, why] of [
      [[at(3000, 0), at(2000, 3000)], 'a picture is shown before it is decoded'],
      [[at(9000, 0), at(6000, 3000)], 'a picture is shown before its keyframe'],
      [[at(3000, 0), at(6000, 3000), at(6000, 6000)], 'two pictures at one time'],
      [[at(3000, 0), at(61 * 90_000, 3000)], 'its times are too far apart'],
      [[at(3000, 3000), at(6000, 0)], 'decode times run backwards'],
    ] as [[number, number][], string][])
      expect(reason(withTimes(...times))).to.equal(why)
  })

  it('is read from its first packet on, even if tables come after the first sound', () => {
    const file = recorded[3]!
    const moved = Buffer.concat([file.subarray(188 * 2), file.subarray(0, 188 * 2)])
    expect(contents(readable(moved, true))).to.deep.equal(contents(readable(file)))
  })

  it('loses what an MP4 must not have: delimiters, fillers, zeros, parameter sets', () => {
    const sets = ['6742c01fda014016e840000003004000000f23c60ca8', '68ce3c80'].map((hex) => Buffer.from(hex, 'hex'))
    const [delimiter, filler, sei] = ['09f0', '0cffff80', '0605010080'].map((hex) => Buffer.from(hex, 'hex'))
    const long = Buffer.from([0, 0, 0, 1])
    const short = long.subarray(1)
    const zeros = Buffer.alloc(5)
    const units = [
      [long, delimiter!, short, sets[0]!, long, sets[1]!, short, sei!, short, slice(0x65, 400), zeros],
      [short, slice(0x41, 183), short, slice(0x41, 20), zeros, long, filler!],
      [long, delimiter!, zeros, long, slice(0x01, 158)],
    ]
    const start = 2 ** 33 - 4000
    const file = muxTs(
      units.map((unit, i) => {
        const dts = start + i * 3000
        return { pts: (dts + 9) % 2 ** 33, dts: dts % 2 ** 33, payload: Buffer.concat(unit) }
      }),
    )
    const { sampleFile, frameIndex } = repackSegment(file) as RepackedSegment
    const kept = [[sei!, slice(0x65, 400)], [slice(0x41, 183), slice(0x41, 20)], [slice(0x01, 158)]]
    const samples = kept.map((nals) =>
      Buffer.concat(nals.flatMap((nal) => [Buffer.from([0, 0, nal.length >> 8, nal.length & 255]), nal])),
    )
    expect(sampleFile).to.deep.equal(Buffer.concat(samples))
    expect([...frameIndex.video.sizes]).to.deep.equal(samples.map((sample) => sample.length))
    expect([frameIndex.sps, frameIndex.pps]).to.deep.equal(sets)
    expect([...frameIndex.video.pts]).to.deep.equal([9, 3009, 6009])
  })

  it('becomes one run of bytes: pictures with lengths, then bare sound', () => {
    for (const file of recorded.slice(0, 4)) {
      const repacked = repackSegment(file) as RepackedSegment
      const demuxed = readable(file)
      expect(repacked.sampleFile).to.have.length(sampleFileBytes(repacked.frameIndex))
      let at = 0
      for (const { nalUnits } of demuxed.video.pictures) {
        for (let i = 0; i < nalUnits.length; i += 2) {
          const nal = demuxed.video.bytes.subarray(nalUnits[i], nalUnits[i + 1])
          expect(repacked.sampleFile.readUInt32BE(at)).to.equal(nal.length)
          expect(repacked.sampleFile.subarray(at + 4, at + 4 + nal.length).equals(nal)).to.equal(true)
          at += 4 + nal.length
        }
      }
      const sounds = demuxed.audio!.frames.map(({ start, end }) => demuxed.audio!.bytes.subarray(start, end))
      expect(repacked.sampleFile.subarray(at).equals(Buffer.concat(sounds))).to.equal(true)
    }
  })

  it('has no sound when egress recorded none', async () => {
    const [file] = await readSegments(TRACK_COMPOSITE)
    expect(readable(file!).audio).to.equal(null)
  })
})

function withoutPid(file: Buffer, pid: number): Buffer {
  const starts = Array.from({ length: file.length / 188 }, (_, i) => i * 188)
  const kept = starts.filter((at) => (file.readUInt16BE(at + 1) & 0x1fff) !== pid)
  return Buffer.concat(kept.map((at) => file.subarray(at, at + 188)))
}

/** The first picture's packets, taken out: what is left begins without a keyframe. */
function dropFirstPicture(file: Buffer): Buffer {
  const packets: Buffer[] = []
  let units = 0
  for (let at = 0; at < file.length; at += 188) {
    const packet = file.subarray(at, at + 188)
    const pid = packet.readUInt16BE(1) & 0x1fff
    if (pid === 0x100 && (packet[1]! & 0x40) !== 0) units += 1
    if (pid !== 0x100 || units > 1) packets.push(packet)
  }
  return Buffer.concat(packets)
}

function slice(type: number, bytes: number): Buffer {
  return Buffer.concat([Buffer.from([type, 0x88]), Buffer.alloc(bytes, 0xab)])
}
