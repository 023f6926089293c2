import { createHash } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { type Mp4File } from '../../src/media/mp4-file.ts'
import { MissingSample, readRange } from '../../src/media/virtual-file.ts'
import { writeVirtualFile } from '../../src/media/write-virtual-file.ts'
import { type Clip, makeClip } from './clip-fixture.ts'
import { landSegments, PARTICIPANT, readSegments, useDirectory } from './material.ts'

const SECOND = 90000

describe('a clip that is not written yet', () => {
  const directory = useDirectory()
  let clip: Clip
  let bytes: Buffer
  const handles = new Set<FileHandle>()

  before(async () => {
    const { segments } = await landSegments(await readSegments(PARTICIPANT), directory())
    const held = segments.filter(({ sequence }) => sequence !== 9)
    clip = await makeClip(directory(), [{ segments: held, fromTicks: 11 * SECOND, toTicks: 27.3 * SECOND }])
    bytes = await readFile(clip.path)
  })

  /** Opens as the service does, and keeps count. */
  async function counted(key: string): Promise<FileHandle> {
    const handle = await open(key)
    handles.add(handle)
    const events = handle as unknown as EventEmitter
    events.once('close', () => handles.delete(handle))
    return handle
  }

  async function read(file: Mp4File, start: number, end: number): Promise<Buffer> {
    const blocks: Buffer[] = []
    for await (const block of readRange(file, start, end, counted)) {
      expect(handles.size).to.be.at.most(1)
      blocks.push(block)
    }
    return Buffer.concat(blocks)
  }

  it('is served with the bytes that the file at rest has, at any range', async () => {
    const place = fc.nat(bytes.length)
    await fc.assert(
      fc.asyncProperty(place, place, async (a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)]
        expect((await read(clip.file, start, end)).equals(bytes.subarray(start, end))).to.equal(true)
      }),
      { numRuns: 60 },
    )
    expect((await read(clip.file, 0, Infinity)).equals(bytes)).to.equal(true)
    expect(handles.size).to.equal(0)
  })

  it('is written with its hash', async () => {
    const path = join(directory(), 'written.mp4')
    const written = await writeVirtualFile(clip.file, path, counted)
    expect((await readFile(path)).equals(bytes)).to.equal(true)
    expect(written).to.deep.equal({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })
    expect(handles.size).to.equal(0)
  })

  it('leaves no file open when its reader goes away', async () => {
    for await (const block of readRange(clip.file, clip.file.head.length, clip.file.size, counted)) {
      expect(block.length).to.be.greaterThan(0)
      break
    }
    expect(handles.size).to.equal(0)
  })

  it('says which sample file is missing, or too short', async () => {
    const gone = async (key: string) => counted(key.endsWith('-7') ? join(directory(), 'gone') : key)
    const missing = await readAll(clip.file, gone)
    expect(missing).to.be.instanceOf(MissingSample)
    expect(missing).to.have.property('key').that.matches(/-7$/)
    const short = await readAll(clip.file, (key) => counted(key.endsWith('-7') ? '/dev/null' : key))
    expect(short).to.be.instanceOf(MissingSample)
    const target = join(directory(), 'never.mp4')
    expect(await writeVirtualFile(clip.file, target, gone).catch((error: unknown) => error)).to.be.instanceOf(
      MissingSample,
    )
    expect(handles.size).to.equal(0)
  })
})

async function readAll(file: Mp4File, openSample: (key: string) => Promise<FileHandle>): Promise<unknown> {
  try {
    for await (const block of readRange(file, 0, file.size, openSample)) expect(block).to.not.equal(null)
  } catch (error) {
    return error
  }
  return null
}
