import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { ROOM, startRecordedShare, USER, type RecordedShare } from '../support/recorded-share.ts'
import { API_KEY, API_SECRET, memberToken, signWebhook } from '../support/service.ts'
import { until } from '../support/until.ts'

/* oxlint-disable typescript/no-explicit-any -- what a recipe takes and gives is what it prints */
type Recipe = Record<string, (...args: any[]) => any>

describe('the recipes', () => {
  let share: RecordedShare
  let directory: string
  let recipes: Recipe[]
  let token: string

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'livekit-replay-test-'))
    recipes = await loadRecipes(directory)
    token = await memberToken(USER, ROOM)
    share = await startRecordedShare()
    await share.land({ to: 32 })
    await until('the segments', async () => {
      const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
      return body.coverage.coveredSeconds > 40
    })
    share.setClock(share.startedAtMs + 60_000)
  })
  after(async () => {
    await share.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const recipe = (name: string) => {
    const found = recipes.find((exported) => name in exported)?.[name]
    if (!found) throw new Error(`no block of docs/recipes.md exports ${name}`)
    return found
  }

  /** A button is, as far as the recipe goes, what can be clicked and disabled. */
  function press(options: object) {
    const button = Object.assign(new EventTarget(), { disabled: false })
    const said: { clip?: any; problem?: string } = {}
    recipe('addClipButton')(button, {
      replayUrl: share.url,
      room: ROOM,
      token,
      onClip: (clip: any) => (said.clip = clip),
      onProblem: (problem: string) => (said.problem = problem),
      ...options,
    })
    button.dispatchEvent(new Event('click'))
    expect(button.disabled).to.equal(true)
    return until('the button', () => !button.disabled && said)
  }

  it('a clip button keeps the last minute with the room token, and hands out a clip that can be downloaded', async () => {
    const { clip, problem } = await press({})
    expect(problem).to.equal(undefined)
    expect(clip).to.include({ status: 'ready', userId: USER })
    const file = await fetch(clip.links.file as string)
    expect((await file.arrayBuffer()).byteLength).to.equal(clip.sizeBytes)
  })

  it('a clip button says why there is no clip', async () => {
    expect((await press({ room: 'elsewhere' })).problem).to.match(/room/)
    expect((await press({ replayUrl: 'http://127.0.0.1:1' })).problem).to.equal('the replay service cannot be reached')
  })

  it('a backend keeps what was seen for a viewer, whose clip it is', async () => {
    const backend = { replayUrl: share.url, apiKey: API_KEY, apiSecret: API_SECRET }
    const clip = await recipe('keepForViewer')(backend, { room: ROOM, sharer: USER, viewer: 'bob', seconds: 40 })
    expect(clip).to.include({ status: 'ready', userId: 'bob' })
    const { body } = await share.call('GET', '/v1/clips', { token: await memberToken('bob', ROOM) })
    expect(body.clips.map(({ id }: { id: string }) => id)).to.deep.equal([clip.id])
    const nobody = { room: ROOM, sharer: 'nobody', viewer: 'bob', seconds: 40 }
    expect(await recipe('keepForViewer')(backend, nobody)).to.equal(undefined)
  })

  it('events are followed, and taken up where they were left', async () => {
    const follow = async (lastEventId?: string) => {
      const abort = new AbortController()
      const seen: { event: string; id: string }[] = []
      const options = { replayUrl: share.url, token, lastEventId, signal: abort.signal }
      const followed = recipe('followEvents')(options, (event: any) => seen.push(event)).catch((error: Error) => error)
      return { seen, stop: () => (abort.abort(), followed as Promise<Error>) }
    }
    const first = await follow()
    await until('the greeting', () => first.seen.some(({ event }) => event === 'hello'))
    await press({ minutes: 1 })
    const ready = await until('the clip', () => first.seen.find(({ event }) => event === 'clip_ready'))
    const before = first.seen[first.seen.indexOf(ready) - 1]
    expect((await first.stop()).name).to.equal('AbortError')
    const second = await follow(before?.id)
    const again = await until('the clip again', () => second.seen.find(({ event }) => event === 'clip_ready'))
    expect(again).to.deep.equal(ready)
    await second.stop()
  })

  it('a server takes what is signed, and nothing else', async () => {
    const taken: string[] = []
    const receive = recipe('createReplayReceiver')(API_KEY, API_SECRET, async (event: any) => taken.push(event.id))
    const body = JSON.stringify({ event: 'clip_ready', id: 'EV_1', createdAt: '1', clip: { id: 'one' } })
    await receive(body, await signWebhook(body))
    const refused = await receive(`${body} `, await signWebhook(body)).catch((error: unknown) => error)
    expect(refused).to.be.instanceOf(Error)
    expect(taken).to.deep.equal(['EV_1'])
  })
})

/** Each block of code as a module of its own, unchanged but for where its package lies. */
async function loadRecipes(directory: string): Promise<Recipe[]> {
  const text = await readFile(new URL('../../docs/recipes.md', import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code = '']) => code)
  return Promise.all(
    blocks.map(async (code, index) => {
      const path = join(directory, `recipe-${index}.mjs`)
      const located = code.replaceAll(/ from '([a-z-]+)'/g, (_, name: string) => ` from '${import.meta.resolve(name)}'`)
      await writeFile(path, located)
      return (await import(pathToFileURL(path).href)) as Recipe
    }),
  )
}
