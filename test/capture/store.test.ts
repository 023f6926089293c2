import { mkdir, readdir, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { createClipMediaCache } from '../../src/capture/clip-media.ts'
import { createOpenIndexCache, openBytes } from '../../src/capture/open-clip.ts'
import { clipPath } from '../../src/clip/clip-path.ts'
import { findClip } from '../../src/clip/clip.repo.ts'
import { hurryJob } from '../support/hurry-job.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('a clip on its way to rest', () => {
  let share: RecordedShare
  let token: string

  beforeEach(async () => {
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 8 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
      return body.coverage.coveredSeconds > 15
    })
    share.setClock(share.startedAtMs + 60_000)
  })
  afterEach(() => share.stop())

  async function capture() {
    const from = new Date(share.startedAtMs + 2_000)
    const body = { from, to: new Date(from.getTime() + 9_000) }
    return (await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, { token, body })).body
  }

  const clipOf = async (id: string) => (await share.call('GET', `/v1/clips/${id}`, { token })).body
  const stored = (id: string) => until('the clip at rest', async () => (await clipOf(id)).stored, 20_000)
  const download = async (link: string) => Buffer.from(await (await fetch(link)).arrayBuffer())

  /** A file where the owner's directory should be: nothing can be written. */
  async function blockWriting(): Promise<() => Promise<void>> {
    const folder = join(share.config.storagePath, clipPath({ id: '', user_id: USER }).split('/')[0] ?? '')
    await rm(folder, { recursive: true, force: true })
    await mkdir(share.config.storagePath, { recursive: true })
    await writeFile(folder, '')
    return () => rm(folder)
  }

  it('whose file cannot be written is served from its segments, keeps its pins, and is written when it can be', async function () {
    this.timeout(30_000)
    const unblock = await blockWriting()
    const clip = await capture()
    await until('a failed try', () =>
      share.lines.some(({ message }) => message === 'job failed and will be tried again'),
    )
    const bytes = await download(clip.links.file)
    expect(bytes.length).to.equal(clip.sizeBytes)
    expect(await clipOf(clip.id)).to.include({ status: 'ready', stored: false })
    const [pin, ...more] = await share.service.db.selectFrom('clip_segments').selectAll().execute()
    expect(more).to.deep.equal([])
    expect(pin!.last_sequence - pin!.first_sequence).to.be.greaterThan(3)
    await unblock()
    await stored(clip.id)
    expect((await download(clip.links.file)).equals(bytes)).to.equal(true)
    expect(await share.service.db.selectFrom('clip_segments').selectAll().execute()).to.deep.equal([])
  })

  it('has the same bytes at any range before and after, for who began before too, and through restarts', async function () {
    this.timeout(30_000)
    const unblock = await blockWriting()
    const { id, links, sizeBytes } = await capture()
    const here = (link: string) => link.replace(/^http:\/\/[^/]+/, share.url)
    const ranges = fc.sample(fc.tuple(fc.nat(sizeBytes - 1), fc.nat(sizeBytes - 1)), { numRuns: 20, seed: 5 })
    const playlist = await (await fetch(links.playlist)).text()
    const fragment = playlist.split('\n').find((line) => line.startsWith('fragment-1.')) ?? ''
    const parts = [links.file as string, new URL(fragment, links.playlist).href]
    const etags = await Promise.all(
      parts.map(async (link) => (await fetch(link, { method: 'HEAD' })).headers.get('etag') ?? ''),
    )

    /** All of both, then in ranges, as who has the beginning asks for the rest. */
    async function look() {
      const seen: Buffer[] = []
      for (const [n, link] of parts.entries()) {
        const whole = await fetch(here(link), { headers: { 'if-none-match': '"another"' } })
        const bytes = Buffer.from(await whole.arrayBuffer())
        expect([whole.status, whole.headers.get('etag')]).to.deep.equal([200, etags[n]])
        seen.push(bytes)
        const ifRange = { 'if-range': etags[n] ?? '' }
        for (const [a, b] of ranges) {
          const [first, last] = [Math.min(a, b) % bytes.length, Math.max(a, b)]
          const part = await fetch(here(link), {
            headers: { ...ifRange, range: `bytes=${first}-${Math.max(first, last)}` },
          })
          expect(part.status).to.equal(206)
          const wanted = bytes.subarray(first, Math.max(first, last) + 1)
          expect(Buffer.from(await part.arrayBuffer()).equals(wanted), `${first} to ${last}`).to.equal(true)
        }
      }
      return seen
    }

    const [file, part] = await look()
    await share.restart()
    expect(await clipOf(id)).to.include({ stored: false })
    expect(await look()).to.deep.equal([file, part])
    await unblock()
    await hurryJob(share.service.db, `store:${id}`)
    await stored(id)
    expect(await look()).to.deep.equal([file, part])
    await share.restart()
    expect(await look()).to.deep.equal([file, part])
  })

  it('plays from its file alone when its segments are gone: the same playlist, the same fragments', async () => {
    const clip = await capture()
    const look = async () => {
      const text = await (await fetch(clip.links.playlist)).text()
      const names = text.split('\n').filter((line) => line.includes('.m4s') || line.includes('init.mp4'))
      const files = names.map((name) => name.replace(/.*URI="([^"]+)".*/, '$1'))
      const parts = await Promise.all(files.map((name) => download(new URL(name, clip.links.playlist).href)))
      return { text, bytes: Buffer.concat(parts) }
    }
    const before = await look()
    await stored(clip.id)
    await share.restart()
    clip.links.playlist = clip.links.playlist.replace(/^http:\/\/[^/]+/, share.url)
    for (const name of await readdir(share.directory)) await unlink(join(share.directory, name))
    const after = await look()
    expect(after.text).to.equal(before.text)
    expect(after.bytes.equals(before.bytes)).to.equal(true)
  })

  it('goes on downloading when its segments go in the middle', async () => {
    const clip = await capture()
    const row = await findClip(share.service.db, clip.id)
    if (!row) throw new Error('the clip is gone')
    const { config, service } = share
    const deps = {
      db: service.db,
      bufferPath: config.bufferPath,
      storagePath: config.storagePath,
      mediaCache: createClipMediaCache(),
      openCache: createOpenIndexCache(),
    }
    const read = await openBytes(deps, { ...row, file_path: null, file_id: null })
    const received: Buffer[] = []
    for await (const block of read(0, clip.sizeBytes)) {
      received.push(block)
      if (received.length > 1) continue
      await stored(clip.id)
      for (const name of await readdir(share.directory)) await unlink(join(share.directory, name))
    }
    expect(Buffer.concat(received).equals(await download(clip.links.file))).to.equal(true)
  })

  it('is never said to be whole when it is not: a download whose bytes are gone is cut off', async () => {
    const unblock = await blockWriting()
    const clip = await capture()
    for (const name of await readdir(share.directory)) await unlink(join(share.directory, name))
    const failed = await download(clip.links.file).catch((error: Error) => error)
    expect(failed).to.be.instanceOf(Error)
    await unblock()
  })
})
