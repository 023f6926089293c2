import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import { AccessToken } from 'livekit-server-sdk'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { adminToken, API_KEY, API_SECRET, backendToken, memberToken, tokenOf } from '../support/service.ts'
import { until } from '../support/until.ts'
import { createAnswerCheck, listRoutes, nameOf } from './api.ts'
import { OPERATIONS } from '../../src/http/operations.ts'

const CALLERS = ['nobody', 'a link', 'in another room', 'in the room', 'the sharer', "room's admin", 'backend'] as const
type CallerName = (typeof CALLERS)[number]

/** The README's table: for each call, who may. */
async function readTable(): Promise<Map<string, Record<CallerName, boolean>>> {
  const text = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
  const section = text.slice(text.indexOf('### Who may do what'), text.indexOf('### Errors'))
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  return new Map(
    rows.map((line) => {
      const [call = '', ...cells] = line.split('|').flatMap((cell) => (cell.trim() === '' ? [] : [cell.trim()]))
      const allowed = CALLERS.map((name, i) => [name, cells[i] === 'yes'])
      return [call.replaceAll('`', ''), Object.fromEntries(allowed) as Record<CallerName, boolean>]
    }),
  )
}

describe('who may do what', () => {
  const check = createAnswerCheck()
  let share: RecordedShare
  let tokens: Record<CallerName, string | undefined>
  let table: Awaited<ReturnType<typeof readTable>>

  before(async () => {
    table = await readTable()
    tokens = {
      nobody: undefined,
      'a link': undefined,
      'in another room': await memberToken('carol', 'another-room'),
      'in the room': await memberToken('bob', ROOM),
      'the sharer': await memberToken(USER, ROOM),
      "room's admin": await adminToken('mod', ROOM),
      backend: await backendToken(),
    }
    share = await startRecordedShare()
    await share.land({ to: 8 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token: tokens.backend ?? '' })
      return body.coverage.coveredSeconds > 15
    })
    share.setClock(share.startedAtMs + 60_000)
  })
  after(() => share.stop())

  async function newClip() {
    const from = new Date(share.startedAtMs + 3000)
    const body = { from, to: new Date(from.getTime() + 2000) }
    const options = { token: tokens['the sharer'] ?? '', body }
    return (await share.call('POST', `/v1/sessions/${share.sessionId}/clips`, options)).body
  }

  /** The call on Alice's things, as it is really made. */
  async function ask(name: string, caller: CallerName) {
    const [method = '', template = ''] = name.split(' ')
    const needsClip = template.startsWith('/v1/clips/{id}')
    const clip = needsClip ? await newClip() : undefined
    const path = template
      .replace('{id}', needsClip ? clip.id : share.sessionId)
      .replace('{number}', '0')
      .replace('{sequence}', '0')
    const query = new URLSearchParams()
    if (name === 'GET /v1/sessions') query.set('room', ROOM)
    if (['GET /v1/clips', 'GET /v1/quota'].includes(name)) query.set('userId', USER)
    if (caller === 'a link') {
      const session = (await share.call('GET', `/v1/sessions/${share.sessionId}`, { token: tokens.backend ?? '' })).body
      query.set('token', new URL((clip ?? session).links.poster).searchParams.get('token') ?? '')
    }
    const from = new Date(share.startedAtMs + 3000)
    const range = { from, to: new Date(from.getTime() + 2000) }
    const bodies: Record<string, unknown> = {
      'POST /v1/sessions': { room: ROOM, userId: USER },
      'POST /v1/sessions/{id}/clips': range,
      'POST /v1/clips': { room: ROOM, userId: USER, ...range },
      'PATCH /v1/clips/{id}': { title: 'renamed' },
      'POST /webhooks/livekit': {},
    }
    const url = query.size > 0 ? `${path}?${query.toString()}` : path
    const token = tokens[caller]
    // A stream never ends: its head is enough.
    const asked = name === 'GET /v1/events' ? 'HEAD' : method
    const options = { ...(token === undefined ? {} : { token }), ...(bodies[name] ? { body: bodies[name] } : {}) }
    const answer = await share.call(asked, url, options)
    if (asked === method) check(method, path, answer)
    return answer
  }

  it('is said in the README for every route that there is', () => {
    expect([...table.keys()].toSorted()).to.deep.equal(listRoutes())
    expect(OPERATIONS.map(nameOf).toSorted()).to.deep.equal(listRoutes())
  })

  it('is as the README says, for every route and every kind of caller', async () => {
    // Stopping the session comes last: the others need it.
    const names = [...table.keys()].toSorted((a, b) => Number(a === 'DELETE /v1/sessions/{id}') - Number(b === a))
    const calls = [...names.filter((name) => !name.startsWith('DELETE /v1/sessions')), 'DELETE /v1/sessions/{id}']
    for (const name of calls) {
      const found: Record<string, boolean> = {}
      for (const caller of CALLERS) {
        const { status } = await ask(name, caller)
        expect(status, `${name} by ${caller}`).not.to.equal(500)
        found[caller] = status !== 401 && status !== 403
      }
      expect(found, name).to.deep.equal(table.get(name))
    }
  }).timeout(60_000)

  describe('is refused by a code that says why', () => {
    const refused = async (token: string, path = `/v1/sessions?room=${ROOM}`) => {
      const answer = await share.call('GET', path, { token })
      check('GET', path, answer)
      return [answer.status, answer.body.code]
    }
    const signed = async (options: { key?: string; secret?: string; ttl?: number }) => {
      const { key = API_KEY, secret = API_SECRET, ttl = 60 } = options
      const token = new AccessToken(key, secret, { identity: USER, ttl })
      token.addGrant({ room: ROOM, roomJoin: true })
      return token.toJwt()
    }
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

    it('when the token has expired', async () => {
      expect(await refused(await signed({ ttl: -60 }))).to.deep.equal([401, 'token_expired'])
    })

    it('when the token is not valid yet', async () => {
      const { createHmac } = await import('node:crypto')
      const now = Math.floor(Date.now() / 1000)
      const claims = { iss: API_KEY, sub: USER, nbf: now + 600, exp: now + 1200, video: { room: ROOM, roomJoin: true } }
      const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
      const signature = createHmac('sha256', API_SECRET).update(text).digest('base64url')
      expect(await refused(`${text}.${signature}`)).to.deep.equal([401, 'token_not_yet_valid'])
    })

    it('when the token is signed by nobody, whatever the case of none, or by another algorithm', async () => {
      const claims = encode({ iss: API_KEY, sub: USER, exp: 4e9, video: { room: ROOM, roomJoin: true } })
      for (const alg of ['none', 'None', 'NONE', 'HS512', 'RS256'])
        expect(await refused(`${encode({ alg })}.${claims}.`), alg).to.deep.equal([401, 'token_algorithm'])
    })

    it('when the token is of another key, or of ours with another secret', async () => {
      expect(await refused(await signed({ key: 'other' }))).to.deep.equal([401, 'token_unknown_key'])
      const secret = 'another-secret-another-secret-another'
      expect(await refused(await signed({ secret }))).to.deep.equal([401, 'token_signature'])
    })

    it('when the token never ends, or is none at all', async () => {
      const { createHmac } = await import('node:crypto')
      const text = `${encode({ alg: 'HS256' })}.${encode({ iss: API_KEY, sub: USER, video: { roomRecord: true } })}`
      const signature = createHmac('sha256', API_SECRET).update(text).digest('base64url')
      expect(await refused(`${text}.${signature}`)).to.deep.equal([401, 'token_malformed'])
      for (const token of ['x', 'a.b', 'a.b.c.d', '..', `${encode([])}.${encode({})}.x`])
        expect(await refused(token), token).to.deep.equal([401, 'token_malformed'])
    })

    it('when the token grants nothing, or is for another room', async () => {
      expect(await refused(await tokenOf(USER, { roomList: true }), '/v1/clips')).to.deep.equal([403, 'missing_grant'])
      expect(await refused(await memberToken(USER, 'another'))).to.deep.equal([403, 'other_room'])
      expect(await refused(await adminToken('mod', 'another'))).to.deep.equal([403, 'other_room'])
    })

    it('when a link was changed, is for something else, or is too old', async () => {
      const clip = await newClip()
      const get = async (link: string) => {
        const answer = await fetch(link)
        return [answer.status, ((await answer.json()) as { code: string }).code]
      }
      const poster = new URL(clip.links.poster)
      poster.searchParams.set('token', `${poster.searchParams.get('token') ?? ''}x`)
      expect(await get(poster.href)).to.deep.equal([401, 'link_invalid'])
      const other = await newClip()
      const foreign = clip.links.file.replace(/token=.*/, other.links.file.replace(/.*\?/, ''))
      expect(await get(foreign)).to.deep.equal([401, 'link_invalid'])
      share.clock.offsetMs += 3_900_000
      expect(await get(clip.links.file)).to.deep.equal([401, 'link_expired'])
      share.clock.offsetMs -= 3_900_000
    })
  })
})
