import { createHash, createHmac } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import net from 'node:net'

/** A webhook ready to be sent: all of the request's bytes. */
export type Request = Buffer

export interface Key {
  apiKey: string
  apiSecret: string
}

/** What is sent: everything that a lively LiveKit tells, or nothing but shares that begin and end. */
export type Mix = 'a lively LiveKit' | 'only shares'

/** So many signed webhooks of this mix, none of them twice. Bodies are the recorded ones with other ids and names. */
export async function makeRequests(mix: Mix, count: number, key: Key, tag: string): Promise<Request[]> {
  const recorded = await recordedBodies()
  const requests: Request[] = []
  for (let visit = 0; requests.length < count; visit += 1) {
    // One visitor in ten shares their screen.
    const names = mix === 'only shares' ? SHARE : visit % 10 === 0 ? [...ARRIVAL, ...SHARE, ...LEAVING] : VISIT
    for (const name of names) requests.push(toRequest(rename(recorded(name), `${tag}${visit}`), key))
  }
  return requests.slice(0, count)
}

const SHARE = ['SCREEN_SHARE published', 'SCREEN_SHARE unpublished']
const ARRIVAL = ['room_started', 'participant_joined', 'CAMERA published', 'MICROPHONE published']
const LEAVING = ['CAMERA unpublished', 'MICROPHONE unpublished', 'participant_left', 'room_finished']
const VISIT = [...ARRIVAL, ...LEAVING]

async function recordedBodies(): Promise<(name: string) => string> {
  const folder = new URL('../webhook-fixtures/', import.meta.url)
  const files = (await readdir(folder)).toSorted()
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')))
  const bodies = texts.flatMap((text) =>
    text
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { body: string }).body),
  )
  return (name) => {
    const [source, what] = name.split(' ')
    const wanted = (body: string) => (JSON.parse(body) as { event: string }).event === (what ? `track_${what}` : name)
    const found = bodies.find((body) => wanted(body) && (!what || body.includes('"SCREEN_SHARE"')))
    if (!found) throw new Error(`no ${name} was recorded`)
    return found.replace('"SCREEN_SHARE"', `"${source}"`)
  }
}

let events = 0

function rename(body: string, visit: string): string {
  events += 1
  return body
    .replaceAll(/"(RM|PA|TR)_\w+"/g, (_, kind: string) => `"${kind}_${visit}"`)
    .replaceAll(/"name":\s?"(stage|r)-[\w-]+"/g, `"name":"room ${visit}"`)
    .replace(/"id":\s?"EV_\w+"/, `"id":"EV_${visit}_${events}"`)
    .replace(/"createdAt":\s?"\d+"/, `"createdAt":"${Math.floor(Date.now() / 1000)}"`)
}

function toRequest(body: string, { apiKey, apiSecret }: Key): Request {
  const now = Math.floor(Date.now() / 1000)
  const sha256 = createHash('sha256').update(body).digest('base64')
  const text = [
    { alg: 'HS256', typ: 'JWT' },
    { iss: apiKey, exp: now + 300, nbf: now, iat: now, sha256 },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const token = `${text}.${createHmac('sha256', apiSecret).update(text).digest('base64url')}`
  const head = [
    'POST /webhooks/livekit HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/webhook+json',
    `Authorization: ${token}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
}

export interface Sent {
  seconds: number
  /** From when each was to be sent to its answer, sorted. */
  latenciesMs: number[]
  notOk: number
}

/**
 * Sends them over so many kept connections: each as soon as one is free, or, with a
 * rate, at its own time, so that a service which falls behind is seen to.
 */
export async function send(port: number, requests: Request[], connections: number, perSecond?: number): Promise<Sent> {
  const latenciesMs: number[] = []
  let notOk = 0
  let next = 0
  const startedAt = performance.now()
  const work = async (): Promise<void> => {
    const connection = await connect(port)
    for (let index = next++; index < requests.length; index = next++) {
      const dueAt = perSecond === undefined ? performance.now() : startedAt + (index * 1000) / perSecond
      const early = dueAt - performance.now()
      if (early > 1) await new Promise((resolve) => setTimeout(resolve, early))
      const status = await connection.ask(requests[index] ?? Buffer.alloc(0))
      latenciesMs.push(performance.now() - dueAt)
      if (status !== 200) notOk += 1
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: connections }, work))
  const seconds = (performance.now() - startedAt) / 1000
  return { seconds, latenciesMs: latenciesMs.toSorted((a, b) => a - b), notOk }
}

/** As little of HTTP as is needed: the load shares two cores with what it measures. */
async function connect(port: number) {
  const socket = net.connect(port, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  let received = ''
  let answer: ((status: number) => void) | undefined
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
    const end = received.indexOf('\r\n\r\n')
    const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0)
    if (end < 0 || received.length < end + 4 + length) return
    const status = Number(received.slice(9, 12))
    received = ''
    answer?.(status)
  })
  return {
    ask: (request: Request) =>
      new Promise<number>((resolve) => {
        answer = resolve
        socket.write(request)
      }),
    close: () => socket.destroy(),
  }
}
