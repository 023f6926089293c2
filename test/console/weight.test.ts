import { get, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import { startTestService, type TestService } from '../support/service.ts'

const LIMIT_BYTES = 300_000

interface Loaded {
  headers: Record<string, string | string[] | undefined>
  text: string
  transferred: number
}

describe('the page', () => {
  let test: TestService
  before(async () => {
    test = await startTestService({ livekitUrl: 'ws://127.0.0.1:9', withoutTicks: true })
  })
  after(() => test.stop())

  /** As a browser asks, and the bytes as they came. */
  async function load(path: string): Promise<Loaded> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(new URL(path, test.url), { headers: { 'accept-encoding': 'gzip, br' } }, resolve).on('error', reject)
    })
    const bytes = await buffer(response)
    expect(response.statusCode, path).to.equal(200)
    expect(response.headers['content-encoding'], path).to.equal('gzip')
    return { headers: response.headers, text: gunzipSync(bytes).toString(), transferred: bytes.length }
  }

  /** Everything that the page loads, and what that loads in turn. */
  async function loadAll(): Promise<Map<string, Loaded>> {
    const loaded = new Map<string, Loaded>()
    const wanted = ['/']
    for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
      if (loaded.has(path)) continue
      const file = await load(path)
      loaded.set(path, file)
      const names = [
        ...file.text.matchAll(/\b(?:href|src)="(console\/[^"]+)"/g),
        ...file.text.matchAll(/\bfrom\s*["'](\.\/[\w-]+\.js)["']/g),
      ]
      for (const [, name = ''] of names) wanted.push(name.replace(/^(\.\/|console\/)/, '/console/'))
    }
    return loaded
  }

  it('is whole, and less than 300 KB over the wire with its player', async () => {
    const loaded = await loadAll()
    const total = [...loaded.values()].reduce((sum, { transferred }) => sum + transferred, 0)

    for (const name of ['hls.js', 'preact.js', 'preact-hooks.js', 'htm.js', 'main.js', 'strings.js', 'style.css'])
      expect([...loaded.keys()]).to.include(`/console/${name}`)
    expect(total).to.be.within(100_000, LIMIT_BYTES)
  })

  it('loads nothing from elsewhere, and is told by its policy not to', async () => {
    for (const [path, { headers, text }] of await loadAll()) {
      expect(headers['content-security-policy'], path).to.match(
        /default-src 'none'; script-src 'self'; style-src 'self'/,
      )
      expect(text, path).not.to.match(/\b(?:from|src|href|import)\s*[=(]?\s*["'](?:https?:)?\/\//)
    }
    expect((await load('/')).text).not.to.match(/<script(?![^>]*\bsrc=)|\bon\w+="|<style/)
  })

  it('is asked for again only when it changed', async () => {
    const { headers } = await load('/console/main.js')
    const again = await test.call('GET', '/console/main.js', { headers: { 'if-none-match': String(headers['etag']) } })
    expect([again.status, again.body.length]).to.deep.equal([304, 0])
  })

  it('has none of the files that are not for browsers', async () => {
    for (const name of ['tsconfig.json', 'api-types.ts', 'nothing.js', '..%2fmain.ts', '%2e%2e%2fmain.ts']) {
      const { status, body } = await test.call('GET', `/console/${name}`)
      expect([status, body.code], name).to.deep.equal([404, 'not_found'])
    }
  })
})
