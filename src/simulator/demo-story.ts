import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { AccessToken } from 'livekit-server-sdk'
import { readPictureClock } from './picture-clock.ts'
import type { Simulator } from './simulator.ts'

export type Story = (line: string) => void

/** Lines with the seconds since the start in front. */
export function tellStory(startedAt: number): Story {
  return (line) => {
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1).padStart(5)
    process.stdout.write(line === '' ? '\n' : `${seconds} s  ${line}\n`)
  }
}

export type DemoParts = {
  simulator: Simulator
  url: string
  apiKey: string
  apiSecret: string
  dataPath: string
  story: Story
}

type Session = {
  id: string
  userId: string
  status: string
  coverage: { coveredSeconds: number }
}

type Clip = {
  id: string
  status: string
  from: string
  to: string
  durationSeconds: number
  sizeBytes: number
  sha256: string | null
  stored: boolean
  coverage: { complete: boolean; coveredSeconds: number; gaps: unknown[]; clock: string }
  links: { file: string }
}

const CLIP_SECONDS = 10
const KEPT_SECONDS = 12
const LIMIT_MS = 45_000

/** The clocks involved agree to 25 ms (contract section 9). */
const PROVED_WITHIN_MS = 30

/** Three people in two rooms share their screens; one of them presses. True when the clip shows what it says. */
export async function playDemo(parts: DemoParts): Promise<boolean> {
  const { simulator, url, story } = parts
  story(`livekit-replay is up at ${url}, beside a simulated LiveKit at ${simulator.url}`)
  enter(parts, 'stage', 'alice')
  enter(parts, 'stage', 'bob')
  enter(parts, 'class', 'carol')
  const alice = await tokenFor(parts, 'alice', { room: 'stage' })
  const api = createApi(url, alice)
  const session = await untilKept(api, story)

  const pressedAt = Date.now()
  story(`alice presses: the last ${CLIP_SECONDS} seconds, please`)
  const clip = await api<Clip>(`/v1/sessions/${session.id}/clips`, { lastSeconds: CLIP_SECONDS })
  story(
    `clip ${clip.status} ${((Date.now() - pressedAt) / 1000).toFixed(1)} s after the press, the moment of the press in it: ` +
      `${clip.durationSeconds} s, ${(clip.sizeBytes / 1e6).toFixed(1)} MB, ` +
      `${clip.coverage.complete ? 'complete' : `gaps ${JSON.stringify(clip.coverage.gaps)}`}, clock ${clip.coverage.clock}`,
  )
  const proved = await prove(parts, clip, pressedAt)
  const stored = await untilStored(api, clip.id)
  story(`clip at rest, sha256 ${stored.sha256 ?? ''}`)
  await sayWhatNext(parts, session, stored)
  return proved
}

function enter({ simulator, story }: DemoParts, room: string, identity: string): void {
  simulator.join(room, { identity, name: nameOf(identity) })
  simulator.publishShare(room, identity)
  simulator.publishShareAudio(room, identity)
  story(`${identity} shares their screen in room ${room}`)
}

async function tokenFor(
  { apiKey, apiSecret }: DemoParts,
  identity: string,
  grant: { room: string; roomAdmin?: boolean },
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity, name: nameOf(identity), ttl: '6h' })
  token.addGrant({ roomJoin: true, ...grant })
  return token.toJwt()
}

const nameOf = (identity: string) => `${identity.slice(0, 1).toUpperCase()}${identity.slice(1)}`

/** Links that sign in to the page: who shares, who moderates, and somebody in another room. */
async function pageLinks(parts: DemoParts): Promise<string> {
  const people = [
    { identity: 'alice', grant: { room: 'stage' }, who: 'shares in room stage' },
    { identity: 'mona', grant: { room: 'stage', roomAdmin: true }, who: 'moderates room stage' },
    { identity: 'carol', grant: { room: 'class' }, who: 'shares in room class' },
  ]
  const lines = people.map(
    async ({ identity, grant, who }) =>
      `  ${nameOf(identity)}, who ${who}:\n  ${parts.url}/#token=${await tokenFor(parts, identity, grant)}\n`,
  )
  return (await Promise.all(lines)).join('\n')
}

type Api = <T>(path: string, body?: unknown) => Promise<T>

function createApi(url: string, token: string): Api {
  return async <T>(path: string, body?: unknown): Promise<T> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) }
    const response = await fetch(`${url}${path}`, init)
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
    return (await response.json()) as T
  }
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + LIMIT_MS
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > deadline) throw new Error(`${what}: not within ${LIMIT_MS / 1000} s`)
    await pause(250)
  }
}

/** Tells of alice's buffer as it fills, and of bob's once. */
async function untilKept(api: Api, story: Story): Promise<Session> {
  const told = new Set<string>()
  const once = (line: string) => {
    if (!told.has(line)) story(line)
    told.add(line)
  }
  return until('a buffer', async () => {
    const { sessions } = await api<{ sessions: Session[] }>('/v1/sessions?room=stage')
    for (const { userId, status } of sessions) if (status === 'active') once(`${userId}'s buffer is recording`)
    const session = sessions.find(({ userId }) => userId === 'alice')
    const kept = Math.floor((session?.coverage.coveredSeconds ?? 0) / 4) * 4
    if (kept > 0) once(`alice's buffer keeps ${kept} s`)
    return session && session.coverage.coveredSeconds >= KEPT_SECONDS ? session : undefined
  })
}

const untilStored = async (api: Api, id: string) =>
  until('the clip at rest', async () => {
    const clip = await api<Clip>(`/v1/clips/${id}`)
    return clip.stored ? clip : undefined
  })

/** Reads the wall clock that the share drew into its pictures, in the clip's first and last one. */
async function prove({ dataPath, story }: DemoParts, clip: Clip, pressedAt: number): Promise<boolean> {
  const file = join(dataPath, 'clip.mp4')
  const response = await fetch(clip.links.file)
  await writeFile(file, Buffer.from(await response.arrayBuffer()))
  const frames = await readPictureClock(ffmpegInstaller.path, file)
  const first = frames[0]
  const last = frames.at(-1)
  if (!first?.wallMs || !last?.wallMs) throw new Error('the clip shows no clock')
  const frameMs = (last.wallMs - first.wallMs) / (frames.length - 1)
  const error = first.wallMs - Date.parse(clip.from)
  const untilEnd = Date.parse(clip.to) - last.wallMs
  const isExact =
    Math.abs(error) <= PROVED_WITHIN_MS && untilEnd > -PROVED_WITHIN_MS && untilEnd <= frameMs + PROVED_WITHIN_MS
  const reachesPress = clip.coverage.complete && pressedAt - last.wallMs <= frameMs + PROVED_WITHIN_MS
  const proved = isExact && reachesPress
  story(
    `${proved ? 'proved' : 'NOT PROVED'} by the clock in its ${frames.length} pictures: the first was drawn ` +
      `${error.toFixed(0)} ms off the instant that the clip says, the last ${untilEnd.toFixed(0)} ms before its end`,
  )
  return proved
}

async function sayWhatNext(parts: DemoParts, session: Session, clip: Clip): Promise<void> {
  const { url, dataPath } = parts
  const token = await tokenFor(parts, 'alice', { room: 'stage' })
  process.stdout.write(`
Watch and keep, in a browser, as

${await pageLinks(parts)}
Or by hand, as alice:

  TOKEN=${token}

  curl -H "Authorization: Bearer $TOKEN" '${url}/v1/sessions?room=stage'
  curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"lastSeconds": 15}' ${url}/v1/sessions/${session.id}/clips
  curl -H "Authorization: Bearer $TOKEN" ${url}/v1/clips
  curl -o clip.mp4 '${clip.links.file}'

Play it: ${clip.links.file}
Buffers, clips and the database are in ${dataPath} while this runs. Ctrl-C ends it.
`)
}
