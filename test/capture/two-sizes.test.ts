import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import type { Browser } from 'playwright-core'
import { clipPlaylist } from '../../src/capture/clip-playlist.ts'
import { clipFragments, initSegment } from '../../src/media/fragmented-mp4.ts'
import { type Clip, makeClip } from '../media/clip-fixture.ts'
import { landSegments, makeSegments, useDirectory } from '../media/material.ts'
import { openBrowser, openPlayer, playToEnd } from '../support/browser.ts'

const SECOND = 90000

/** Its bytes by name, as a player asks for them. */
async function filesOf({ cut, file, path }: Clip): Promise<Map<string, Buffer>> {
  const bytes = await readFile(path)
  const media = bytes.subarray(file.head.length)
  const { durations, startOffsetSeconds, fragment } = clipFragments(cut)
  const day = '2026-11-22T17:00:00.000Z'
  const coverage = { requestedFrom: day, requestedTo: day, coveredFrom: day, coveredTo: day, coveredSeconds: 3 }
  const playlist = clipPlaylist({
    durations,
    startOffsetSeconds,
    coverage: { ...coverage, gaps: [], complete: true, clock: 'measured', clockErrorMs: 25 },
    isGrowing: false,
    linkOf: (name) => name,
  })
  const fragments = durations.map((_, number): [string, Buffer] => {
    const { head, offset, length } = fragment(number)!
    return [`fragment-${number}.m4s`, Buffer.concat([head, media.subarray(offset, offset + length)])]
  })
  return new Map([
    ['clip.mp4', bytes],
    ['playlist.m3u8', Buffer.from(playlist)],
    ['init.mp4', initSegment(cut.video, cut.audio?.config ?? null)],
    ...fragments,
  ])
}

describe('a clip of two recordings of different size, in Chromium', () => {
  const directory = useDirectory()
  let browser: Browser | undefined
  let server: Server | undefined
  let url: string

  before(async function () {
    this.timeout(60_000)
    browser = await openBrowser()
    if (!browser) {
      this.skip()
      return
    }
    const [small, large] = await Promise.all(
      ['160x90', '320x180'].map(async (size) =>
        landSegments(await makeSegments(directory(), { seconds: 4, size }), directory()),
      ),
    )
    const clip = await makeClip(directory(), [
      { segments: small!.segments, fromTicks: 0.5 * SECOND, toTicks: 2 * SECOND },
      { segments: large!.segments, fromTicks: SECOND, toTicks: 2.5 * SECOND },
    ])
    const files = await filesOf(clip)
    server = createServer((req, res) => {
      const bytes = files.get(req.url?.slice(1) ?? '')
      res.writeHead(bytes ? 200 : 404).end(bytes)
    })
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(async () => {
    await browser?.close()
    server?.closeAllConnections()
    server?.close()
  })

  for (const name of ['clip.mp4', 'playlist.m3u8'])
    it(`plays as ${name} from end to end, each in its own size`, async function () {
      this.timeout(60_000)
      if (!browser) return
      const page = await openPlayer(browser, url, `${url}/${name}`)
      await page.evaluate(`(() => {
        window.widths = []
        const note = (_, { mediaTime, width }) => {
          if (widths.at(-1)?.width !== width) widths.push({ width, at: mediaTime })
          video.requestVideoFrameCallback(note)
        }
        video.requestVideoFrameCallback(note)
      })()`)
      expect(await playToEnd(page)).to.be.closeTo(3, 0.1)
      const widths: { width: number; at: number }[] = await page.evaluate('widths')
      expect(widths.map(({ width }) => width)).to.deep.equal([160, 320])
      expect(widths[1]?.at).to.be.closeTo(1.5, 0.2)
      await page.close()
    })
})
