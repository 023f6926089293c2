import { expect } from 'chai'
import fc from 'fast-check'
import { type FrameIndex, packFrameIndex, unpackFrameIndex } from '../../src/media/frame-index.ts'
import { type RepackedSegment, repackSegment } from '../../src/media/sample-file.ts'
import { CorruptFrameIndex } from '../../src/media/varint.ts'
import { makeSegments, PARTICIPANT, readSegments, useDirectory } from './material.ts'

/** Baseline, 1280x720. */
const SPS = Buffer.from('6742c01fda014016e840000003004000000f23c60ca8', 'hex')

const frames = fc.array(
  fc.record({
    size: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    step: fc.oneof(fc.constantFrom(1500, 3000, 3001), fc.integer({ min: 1, max: 100000 })),
    offset: fc.integer({ min: -10000, max: 100000 }),
    key: fc.boolean(),
  }),
  { minLength: 1, maxLength: 150 },
)

const sound = fc.record({
  config: fc.constantFrom(0x1210, 0x1190, 0x1208),
  frames: fc.array(fc.record({ size: fc.integer({ min: 1, max: 2000 }), jump: fc.boolean(), pts: fc.integer() }), {
    minLength: 1,
    maxLength: 100,
  }),
})

const anyIndex: fc.Arbitrary<FrameIndex> = fc
  .tuple(fc.nat(2 ** 33 - 1), frames, fc.option(sound), fc.uint8Array({ minLength: 1, maxLength: 12 }))
  .map(([firstDts, pictures, audio, pps]) => {
    let time = 0
    const dts = Int32Array.from(pictures, ({ step }, i) => (time += i === 0 ? 0 : step))
    const keys = pictures.flatMap(({ key }, i) => (key || i === 0 ? [i] : []))
    const pts = Int32Array.from(pictures, ({ offset }, i) => dts[i]! + offset)
    const anchors = audio?.frames.flatMap(({ jump, pts: at }, i) =>
      jump || i === 0 ? [{ frame: i, pts: at === -(2 ** 31) ? 0 : at }] : [],
    )
    return {
      firstDts,
      sps: SPS,
      pps: Buffer.from(pps),
      video: { sizes: Uint32Array.from(pictures, ({ size }) => size), dts, pts, keys },
      audio: audio && {
        config: audio.config,
        sizes: Uint32Array.from(audio.frames, ({ size }) => size),
        anchors: anchors!,
      },
    }
  })

describe('a frame index', () => {
  const directory = useDirectory()

  it('comes back as it was', () => {
    fc.assert(
      fc.property(anyIndex, (index) => {
        expect(unpackFrameIndex(packFrameIndex(index))).to.deep.equal(index)
      }),
    )
  })

  it('is refused with a clear error when its bytes are damaged, or is at least one that could be written', () => {
    const bytes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(anyIndex, bytes, (index, changes) => {
        const packed = packFrameIndex(index)
        for (const [at, value] of changes) packed[at % packed.length] = value
        try {
          unpackFrameIndex(packed)
        } catch (error) {
          expect(error).to.be.instanceOf(CorruptFrameIndex)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('is refused when it is cut anywhere, or has more bytes than its own', async () => {
    const [file] = await readSegments(PARTICIPANT)
    const packed = packFrameIndex((repackSegment(file!) as RepackedSegment).frameIndex)
    for (let length = 0; length < packed.length; length += 1) {
      expect(() => unpackFrameIndex(packed.subarray(0, length))).to.throw(CorruptFrameIndex)
    }
    expect(() => unpackFrameIndex(Buffer.concat([packed, Buffer.from([0])]))).to.throw(CorruptFrameIndex)
  })

  it('takes well under 1 KB for two seconds at 60 pictures a second with sound', async () => {
    const files = await makeSegments(directory(), { seconds: 4, fps: 60, size: '640x360' })
    for (const file of files) {
      const { frameIndex } = repackSegment(file, true) as RepackedSegment
      expect(frameIndex.video.sizes).to.have.length(120)
      expect(packFrameIndex(frameIndex).length).to.be.lessThan(800)
    }
  })
})
