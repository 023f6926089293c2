import { expect } from 'chai'
import { livePlaylist, type BufferSegment, type LivePlaylistParts } from '../../src/segment/live-playlist.ts'

const ORIGIN = Date.parse('2026-11-22T17:00:00.123Z')
const FOREVER = [{ fromMs: 0, toMs: Infinity }]

const segment = (sequence: number, more: Partial<BufferSegment> = {}): BufferSegment => ({
  sequence,
  startMs: sequence * 2000,
  durationMs: 2000,
  config: 'a',
  ...more,
})

/** The lines after the head, without what is the same in all. */
function linesOf(segments: BufferSegment[], more: Partial<LivePlaylistParts> = {}): string[] | undefined {
  const parts = { shared: FOREVER, originMs: ORIGIN, segmentSeconds: 2, changesBefore: 0, isEnded: false }
  return livePlaylist({ ...parts, segments, linkOf: (name) => name, ...more })
    ?.trim()
    .split('\n')
}

const brief = (lines: string[] | undefined) =>
  lines
    ?.filter((line) => !/^#EXT(M3U|-X-(VERSION|TARGET|MEDIA|INDEP|DISCONTINUITY-S))/.test(line))
    .map((line) => line.replace('#EXT-X-PROGRAM-DATE-TIME:2026-11-22T', '').replace('#EXTINF:', ''))

describe("a buffer's playlist", () => {
  it('has the window, each segment with the wall clock of its first picture', () => {
    expect(linesOf([segment(7), segment(8)])).to.deep.equal([
      '#EXTM3U',
      '#EXT-X-VERSION:7',
      '#EXT-X-TARGETDURATION:2',
      '#EXT-X-MEDIA-SEQUENCE:7',
      '#EXT-X-DISCONTINUITY-SEQUENCE:0',
      '#EXT-X-INDEPENDENT-SEGMENTS',
      '#EXT-X-MAP:URI="init-a.mp4"',
      '#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:00:14.123Z',
      '#EXTINF:2.000,',
      'segment-7.m4s',
      '#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:00:16.123Z',
      '#EXTINF:2.000,',
      'segment-8.m4s',
    ])
  })

  it('ends when nothing more will land', () => {
    expect(linesOf([segment(0)], { isEnded: true })?.at(-1)).to.equal('#EXT-X-ENDLIST')
  })

  it('fills what is missing with as many gaps as there are numbers, of the same length in all', () => {
    expect(brief(linesOf([segment(0), segment(3, { startMs: 6100 })]))).to.deep.equal([
      '#EXT-X-MAP:URI="init-a.mp4"',
      '17:00:00.123Z',
      '2.000,',
      'segment-0.m4s',
      '#EXT-X-GAP',
      '17:00:02.123Z',
      '2.050,',
      'segment-1.m4s',
      '#EXT-X-GAP',
      '17:00:04.173Z',
      '2.050,',
      'segment-2.m4s',
      '17:00:06.223Z',
      '2.000,',
      'segment-3.m4s',
    ])
  })

  it('takes what cannot be read, and what was not shared, for gaps; and leaves them out at both ends', () => {
    const segments = [0, 1, 2, 3, 4, 5].map((n) => segment(n, n === 2 ? { config: undefined } : {}))
    const shared = [
      { fromMs: 2500, toMs: 6000 },
      { fromMs: 8000, toMs: 10_000 },
    ]
    expect(brief(linesOf(segments, { shared }))).to.deep.equal([
      '#EXT-X-MAP:URI="init-a.mp4"',
      '17:00:02.123Z',
      '2.000,',
      'segment-1.m4s',
      '#EXT-X-GAP',
      '17:00:04.123Z',
      '2.000,',
      'segment-2.m4s',
      '#EXT-X-GAP',
      '17:00:06.123Z',
      '2.000,',
      'segment-3.m4s',
      '17:00:08.123Z',
      '2.000,',
      'segment-4.m4s',
    ])
  })

  it('says where the recording changes its form, and how often it did before the window', () => {
    const lines = linesOf([segment(4), segment(5, { config: 'b' }), segment(6, { config: 'b' })], { changesBefore: 3 })
    expect(lines).to.include('#EXT-X-DISCONTINUITY-SEQUENCE:3')
    expect(brief(lines)?.slice(4, 6)).to.deep.equal(['#EXT-X-DISCONTINUITY', '#EXT-X-MAP:URI="init-b.mp4"'])
    expect(lines?.filter((line) => line === '#EXT-X-DISCONTINUITY')).to.have.length(1)
  })

  it('lets a segment last until the next one begins, so that rounding does not add up', () => {
    const segments = [segment(0, { durationMs: 1998 }), segment(1, { startMs: 2001 }), segment(2, { startMs: 4768 })]
    const lines = linesOf(segments)
    expect(lines?.filter((line) => line.startsWith('#EXTINF'))).to.deep.equal([
      '#EXTINF:2.001,',
      '#EXTINF:2.767,',
      '#EXTINF:2.000,',
    ])
    expect(lines).to.include('#EXT-X-TARGETDURATION:3')
  })

  it('is none when there is nothing to show', () => {
    expect(linesOf([])).to.equal(undefined)
    expect(linesOf([segment(0, { config: undefined })])).to.equal(undefined)
    expect(linesOf([segment(0)], { shared: [] })).to.equal(undefined)
  })
})
