import { once } from 'node:events'
import { connect } from 'node:net'
import { expect } from 'chai'
import fc from 'fast-check'
import { startServer } from '../../src/http/server.ts'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { backendToken, memberToken } from '../support/service.ts'
import { until } from '../support/until.ts'

/** What people try who want out of a directory, or into a query, a log or a shell. */
const NASTY = [
  '..',
  '../../../../etc/passwd',
  '..%2f..%2f..%2fetc%2fpasswd',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '....//....//etc/passwd',
  '..\\..\\windows',
  '%00',
  '%0d%0aSet-Cookie:%20a=b',
  '%',
  '%zz',
  "'%20or%201=1--",
  '$(id)',
  '`id`',
  '%F0%9F%8E%AC',
  '\u202e',
  'x'.repeat(5000),
]

describe('against whoever means harm', () => {
  let share: RecordedShare
  let token: string
  let backend: string

  before(async () => {
    token = await memberToken(USER, ROOM)
    backend = await backendToken()
    share = await startRecordedShare()
    await share.land({ to: 3 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
      return body.coverage.coveredSeconds > 5
    })
  })
  after(() => share.stop())

  const segment = fc.oneof(
    fc.constantFrom(...NASTY),
    fc.string({ unit: 'grapheme', maxLength: 60 }).map(encodeURIComponent),
    fc.uuid(),
    fc.constant('ID'),
  )
  const file = fc.oneof(
    segment,
    segment.map((name) => `fragment-${name}.m4s`),
    segment.map((name) => `segment-${name}.m4s`),
    segment.map((name) => `init-${name}.mp4`),
    fc.constantFrom('file.mp4', 'poster.jpg', 'playlist.m3u8', 'clips'),
  )

  it('no id and no file name leads anywhere but to a refusal in words', async () => {
    const place = fc.record({
      method: fc.constantFrom('GET', 'HEAD', 'POST', 'PATCH', 'DELETE'),
      kind: fc.constantFrom('sessions', 'clips'),
      id: segment,
      name: fc.option(file),
      query: fc.option(fc.constantFrom('?token=x', '?token=a.b', '?token=', '?download=1', '?token=x&token=y')),
    })
    await fc.assert(
      fc.asyncProperty(place, async ({ method, kind, id, name, query }) => {
        // The one real id is never asked for by itself: it may be stopped by that.
        const real = id === 'ID' && kind === 'sessions' && name !== null && name !== 'clips'
        const path = `/v1/${kind}/${real ? share.sessionId : id}${name === null ? '' : `/${name}`}${query ?? ''}`
        const { status, body } = await share.call(method, path, { token: backend })
        if (status !== 200) expect(status, path).to.be.oneOf([400, 401, 403, 404, 405, 431])
        if (status >= 400 && method !== 'HEAD' && status !== 431) expect(body.code, path).to.be.a('string')
        expect(JSON.stringify(body), path).not.to.match(/root:|\/work|node_modules|at .*\.ts:\d/)
      }),
      { numRuns: 300, endOnFailure: true },
    )
  }).timeout(30_000)

  it('no body and no query brings it to a 500', async () => {
    const nasty = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(
        '\u0000',
        'a\u0000b',
        '\ud800',
        1e308,
        -1,
        1e-320,
        '9999-12-31T23:59:59Z',
        '0000-01-01T00:00:00Z',
      ),
    )
    const keys = ['room', 'userId', 'communityId', 'quality', 'title', 'from', 'to', 'lastSeconds', 'durationMinutes']
    const body = fc.oneof(fc.dictionary(fc.constantFrom(...keys, 'pressedAt', '__proto__'), nasty), fc.jsonValue())
    const place = fc.constantFrom('POST /v1/sessions', 'POST /v1/clips', `POST /v1/sessions/${share.sessionId}/clips`)
    await fc.assert(
      fc.asyncProperty(place, body, async (call, sent) => {
        const [method = '', path = ''] = call.split(' ')
        const headers = { 'content-type': 'application/json', prefer: 'respond-async' }
        const { status } = await share.call(method, path, { token: backend, headers, body: JSON.stringify(sent) })
        expect(status, JSON.stringify(sent)).to.be.below(500)
      }),
      { numRuns: 300, endOnFailure: true },
    )
    const values = ['%00', '%ff', 'a%00b', '', '-1', '1e9', 'NaN', '%F0%9F%8E%AC', 'x'.repeat(3000)]
    for (const name of [
      'room',
      'status',
      'limit',
      'offset',
      'cursor',
      'title',
      'communityId',
      'userId',
      'exact',
      'token',
    ])
      for (const value of values)
        for (const path of ['sessions', 'clips', 'quota'])
          expect((await share.call('GET', `/v1/${path}?${name}=${value}`, { token: backend })).status).to.be.below(500)
  }).timeout(30_000)

  it('no text takes long to be refused', async () => {
    const startedAt = performance.now()
    for (const text of [
      ' '.repeat(60_000),
      'a'.repeat(60_000),
      `${'\t '.repeat(30_000)}\u0000`,
      '2026-'.repeat(12_000),
    ])
      for (const field of ['title', 'from', 'userId', 'room'])
        await share.call('POST', '/v1/clips', { token: backend, body: { [field]: text } })
    expect(performance.now() - startedAt).to.be.below(3000)
  })

  it('no request writes a line of its own into the log, or a token', async () => {
    const before = share.lines.length
    const evil = 'x"}\n{"level":"error","message":"hacked"}\r\n'
    await share.call('GET', `/v1/sessions?room=${encodeURIComponent(evil)}`, { token })
    await share.call('GET', `/v1/${encodeURIComponent(evil)}`, { token })
    await share.call('POST', '/v1/sessions', { token: backend, body: { room: 'no-such-room', userId: evil.trim() } })
    expect(
      share.lines
        .slice(before)
        .map(({ message }) => message)
        .join(),
    ).not.to.match(/hacked|\n/)
    expect(JSON.stringify(share.lines)).not.to.contain(token.slice(-40)).and.not.contain(backend.slice(-40))
  })

  it('a failure that is ours says an id that the log has, and nothing else', async () => {
    await share.service.db.schema.alterTable('user_quotas').renameTo('user_quotas_gone').execute()
    try {
      const { status, body } = await share.call('GET', '/v1/quota', { token })
      expect(body).to.have.keys(['type', 'title', 'status', 'code', 'errorId'])
      expect([status, body.code, body.title]).to.deep.equal([500, 'internal', 'Internal Server Error'])
      const line = share.lines.find(({ errorId }) => errorId === body.errorId)
      expect(line).to.include({ level: 'error', message: 'request failed' })
      expect(line?.['error']).to.match(/user_quotas/)
    } finally {
      await share.service.db.schema.alterTable('user_quotas_gone').renameTo('user_quotas').execute()
    }
  })

  it('every answer carries the header fields that browsers are told to be careful by', async () => {
    for (const path of ['/docs', '/healthz', '/v1/clips', '/nothing']) {
      const { headers } = await share.call('GET', path)
      expect(headers.get('x-content-type-options'), path).to.equal('nosniff')
      expect(headers.get('content-security-policy'), path).to.match(/default-src 'self'/)
      expect(headers.get('x-powered-by'), path).to.equal(null)
    }
  })

  it('a connection on which nothing is asked holds up no stop', async () => {
    const server = await startServer((_req, res) => res.end('done'), { host: '127.0.0.1', port: 0 })
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    await once(socket, 'connect')
    expect((await fetch(server.url)).status).to.equal(200)
    const startedAt = performance.now()
    await server.stop()
    expect(performance.now() - startedAt).to.be.below(2000)
    socket.destroy()
  })

  it('who never finishes a request is cut off', async () => {
    const limits = { headersTimeout: 200, requestTimeout: 400, keepAliveTimeout: 1000, connectionsCheckingInterval: 50 }
    const server = await startServer((_req, res) => res.end('done'), { host: '127.0.0.1', port: 0 }, limits)
    const say = (text: string) =>
      new Promise<string>((resolve) => {
        let heard = ''
        const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () => socket.write(text))
        socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
        socket.on('close', () => resolve(heard))
      })
    expect(await say('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')).to.match(/^HTTP\/1\.1 408/)
    await server.stop()
  })
})
