import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { parsePlaylist, parseSequence, type PlaylistEntry } from '../../src/segment/playlist.ts'
import { runFfmpeg } from '../media/material.ts'
import { recordedDirectory, type RecordingName } from '../support/recording.ts'

const RECORDINGS: RecordingName[] = ['participant-stopped', 'track-composite-ended', 'egress-killed']

/** The last segment's EXTINF is one frame short, and the pictures come 15 to 30 a second. */
const FRAME_MS = 67

describe('a playlist', () => {
  it('gives what was written, whatever the length of its numbers', () => {
    fc.assert(
      fc.property(entries, fc.boolean(), (written, ended) => {
        const read = parsePlaylist(textOf(written, { ended }))
        expect(read).to.deep.equal({ entries: written, ended })
      }),
    )
  })

  it('cut at any byte gives the entries before the cut, or nothing yet', () => {
    fc.assert(
      fc.property(entries, (written) => {
        const bytes = Buffer.from(textOf(written, { ended: true }))
        for (let length = 0; length <= bytes.length; length += 1) {
          const read = parsePlaylist(bytes.subarray(0, length).toString('utf8'))
          if (read) expect(read.entries).to.deep.equal(written.slice(0, read.entries.length))
          else expect(length).to.be.below('#EXTM3U\n'.length)
          if (read?.ended) expect(read.entries).to.have.length(written.length)
        }
      }),
      { numRuns: 20 },
    )
  })

  it('says the same when it is doubled, and when its entries are out of order', () => {
    fc.assert(
      fc.property(entries, fc.nat(), (written, turn) => {
        const text = textOf(written, { ended: false })
        expect(parsePlaylist(text + text)?.entries).to.deep.equal(written)
        const at = turn % (written.length + 1)
        const turned = [...written.slice(at), ...written.slice(0, at)]
        expect(parsePlaylist(textOf(turned, { ended: false }))?.entries).to.deep.equal(written)
      }),
    )
  })

  it('gives its entries also when it says early that it has ended', () => {
    fc.assert(
      fc.property(entries, fc.nat(), (written, turn) => {
        const lines = textOf(written, { ended: false }).split('\n')
        const at = 1 + (turn % (lines.length - 1))
        const text = [...lines.slice(0, at), '#EXT-X-ENDLIST', ...lines.slice(at)].join('\n')
        expect(parsePlaylist(text)).to.deep.equal({ entries: written, ended: true })
      }),
    )
  })

  it('never fails, whatever the bytes, and gives only what can be a segment', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        ...'#EXTM3U|#EXTINF:|2.000,|seg_|.ts|00001|#EXT-X-PROGRAM-DATE-TIME:|Z|\n|\r\n|../|\0'.split('|'),
      ),
      fc.string({ unit: 'binary', maxLength: 12 }),
    )
    const text = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          text.map((rest) => `#EXTM3U\n${rest}`),
        ),
        (anything) => {
          for (const entry of parsePlaylist(anything)?.entries ?? []) {
            expect(entry.fileName).to.match(/^seg_\d{5,9}\.ts$/)
            expect(entry.durationMs).to.be.within(1, 1e9)
            expect(Number.isFinite(entry.programDateTime.getTime())).to.equal(true)
          }
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('names only files that egress would', () => {
    for (const name of ['seg_00000.ts', 'seg_99999.ts', 'seg_100000.ts', 'seg_123456.ts'])
      expect(parseSequence(name), name).to.equal(Number(/\d+/.exec(name)?.[0]))
    for (const name of ['seg_0000.ts', 'seg_1234567890.ts', 'seg_00000.mp4', '../seg_00000.ts', 'seg_00000.ts ', 'x'])
      expect(parseSequence(name), name).to.equal(undefined)
  })

  for (const name of RECORDINGS)
    it(`of the recording ${name} says what ffmpeg finds in its files`, async () => {
      const directory = recordedDirectory(name)
      const listed = parsePlaylist(await readFile(join(directory, 'index.m3u8'), 'utf8'))
      const live = parsePlaylist(await readFile(join(directory, 'live.m3u8'), 'utf8'))
      const files = (await readdir(directory)).filter((file) => file.endsWith('.ts')).toSorted()
      const written = listed?.entries ?? []
      expect(written.map((entry) => entry.fileName)).to.deep.equal(files)
      expect(live?.entries).to.deep.equal(written.slice(-5))
      expect(listed?.ended).to.equal(name !== 'egress-killed')
      const found = await Promise.all(files.map((file) => pictureTimes(join(directory, file))))
      const origin = (found[0]?.firstMs ?? 0) - (written[0]?.programDateTime.getTime() ?? 0)
      for (const [i, entry] of written.entries()) {
        const { firstMs = 0, endMs = 0 } = found[i] ?? {}
        expect(firstMs - entry.programDateTime.getTime(), entry.fileName).to.be.closeTo(origin, 2)
        expect(endMs - firstMs, entry.fileName).to.be.closeTo(entry.durationMs, FRAME_MS)
      }
    })
})

const instant = fc.integer({ min: 0, max: 4_000_000_000_000 }).map((ms) => new Date(ms))
const durationMs = fc.oneof(fc.integer({ min: 1, max: 2500 }), fc.integer({ min: 2500, max: 90_000 }))
const sequences = fc
  .tuple(fc.constantFrom(0, 99_995, 999_995, 123_456), fc.integer({ min: 1, max: 8 }))
  .map(([first, count]) => Array.from({ length: count }, (_, i) => first + i))

const entries: fc.Arbitrary<PlaylistEntry[]> = sequences.chain((numbers) =>
  fc.tuple(...numbers.map((sequence) => fc.tuple(fc.constant(sequence), instant, durationMs))).map((made) =>
    made.map(([sequence, programDateTime, duration]) => ({
      sequence,
      fileName: `seg_${String(sequence).padStart(5, '0')}.ts`,
      programDateTime,
      durationMs: duration,
    })),
  ),
)

/** In egress's own form: Go drops trailing zeros of a second, and the point where nothing is left. */
function textOf(written: PlaylistEntry[], { ended }: { ended: boolean }): string {
  const lines = written.flatMap((entry) => [
    `#EXT-X-PROGRAM-DATE-TIME:${entry.programDateTime.toISOString().replace(/\.?0*Z$/, 'Z')}`,
    `#EXTINF:${(entry.durationMs / 1000).toFixed(3)},`,
    entry.fileName,
  ])
  const head = ['#EXTM3U', '#EXT-X-VERSION:4', '#EXT-X-ALLOW-CACHE:NO', '#EXT-X-TARGETDURATION:2']
  return [...head, '#EXT-X-MEDIA-SEQUENCE:0', ...lines, ...(ended ? ['#EXT-X-ENDLIST'] : []), ''].join('\n')
}

/** When the first picture of a file is shown, and when the last one ends, by ffmpeg's demuxer. */
async function pictureTimes(path: string): Promise<{ firstMs: number; endMs: number }> {
  const text = await runFfmpeg(['-copyts', '-i', path, '-map', '0:v', '-c', 'copy', '-f', 'framecrc', '-'])
  const lines = text.split('\n').filter((line) => line.startsWith('0,'))
  const pts = lines.map((line) => Number(line.split(',')[2]) / 90).toSorted((a, b) => a - b)
  const [first = 0, second = 0] = pts
  return { firstMs: first, endMs: (pts.at(-1) ?? 0) + (second - first) }
}
