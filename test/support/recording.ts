import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'

/*
 * A recorded LiveKit: its webhooks, its answers and its files, with the session's own
 * path in place of the recorded one.
 */

const ROOT = new URL('../../', import.meta.url).pathname

export type RecordingName = 'participant-stopped' | 'track-composite-ended' | 'egress-killed'

const OUTPUT: Record<RecordingName, string> = {
  'participant-stopped': '0192-s1',
  'track-composite-ended': 's-track',
  'egress-killed': 's-ghost2',
}

export interface RecordedWebhook {
  at: number
  body: string
  event: string
  /** The token that it came with, long expired. */
  authorization: string
}

export async function readWebhooks(name: string): Promise<RecordedWebhook[]> {
  const text = await readFile(join(ROOT, 'webhook-fixtures', `${name}.jsonl`), 'utf8')
  return readLines(text).map((line) => {
    const { at, body, headers } = line as { at: number; body: string; headers: { authorization: string } }
    const { event } = JSON.parse(body) as { event: string }
    return { at, body, event, authorization: headers.authorization }
  })
}

export interface RecordedCall {
  path: string
  request: Record<string, unknown>
  status: number
  response: string
}

export async function readCalls(name: string): Promise<RecordedCall[]> {
  return readLines(await readFile(join(ROOT, 'recordings', name, 'twirp.jsonl'), 'utf8')) as RecordedCall[]
}

const readLines = (text: string): unknown[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)

export const recordedDirectory = (name: RecordingName) => join(ROOT, 'recordings', name, 'out', OUTPUT[name])

/** The recorded path (`/out/<directory>`) in a webhook or an answer, as if egress had been given this session's. */
export function atPath(name: RecordingName, text: string, egressPath: string, sessionId: string): string {
  return text.replaceAll(`/out/${OUTPUT[name]}`, `${egressPath}/${sessionId}`)
}

/** Which segments land, and which of them are no segments, or are named but never there. */
export interface Landing {
  from?: number
  to?: number
  broken?: number[]
  lost?: number[]
}

/** Copies segments as egress did: each file, then the playlists that name it. */
export async function landRecording(name: RecordingName, directory: string, landing: Landing = {}): Promise<void> {
  const source = recordedDirectory(name)
  const index = await readFile(join(source, 'index.m3u8'), 'utf8')
  const [head = '', ...entries] = index.split(/(?=#EXT-X-PROGRAM-DATE-TIME)/)
  const { from = 0, to = entries.length, broken = [], lost = [] } = landing
  await mkdir(directory, { recursive: true })
  for (let n = from; n < to; n += 1) {
    const file = `seg_${String(n).padStart(5, '0')}.ts`
    if (broken.includes(n)) await writeFile(join(directory, file), 'not a segment')
    else if (!lost.includes(n)) await cp(join(source, file), join(directory, file))
    const text = head + entries.slice(0, n + 1).join('')
    await writeFile(join(directory, 'index.m3u8'), n + 1 < entries.length ? text.replace('#EXT-X-ENDLIST\n', '') : text)
    const live = entries.slice(Math.max(0, n - 4), n + 1).join('')
    const liveHead = head
      .replace('#EXT-X-PLAYLIST-TYPE:EVENT\n', '')
      .replace(/SEQUENCE:\d+/, `SEQUENCE:${Math.max(0, n - 4)}`)
    await writeFile(join(directory, 'live.m3u8'), liveHead + live)
  }
}

export type TwirpHandler = (request: Record<string, unknown>) => { status?: number; body: unknown } | undefined

/** A LiveKit that answers what it is told to, by method name, and counts what it was asked. */
export async function startTwirpStub(handlers: Record<string, TwirpHandler>) {
  const calls: { method: string; request: Record<string, unknown> }[] = []
  const server: Server = createServer((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const method = req.url?.split('/').at(-1) ?? ''
      const request = JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>
      calls.push({ method, request })
      const answer = handlers[method]?.(request) ?? { status: 404, body: { code: 'bad_route', msg: method } }
      res.writeHead(answer.status ?? 200, { 'content-type': 'application/json' })
      res.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
