import { mkdtemp, rm, writeFile, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { readPictureClock } from '../src/simulator/picture-clock.ts'
import { startSimulator, type Simulator } from '../src/simulator/simulator.ts'
import { runNode, type RunningProcess } from './support/process.ts'
import { API_KEY, API_SECRET, memberToken } from './support/service.ts'
import { until } from './support/until.ts'

describe('the service as a process', () => {
  it('says which variables are missing and what they are for, and exits 2', async () => {
    const { output, ended } = runNode('src/main.ts', [], { PORT: 'eighty' })
    expect(await ended).to.equal(2)
    expect(output()).to.match(/LIVEKIT_URL: missing: where LiveKit is/)
    expect(output()).to.match(/LIVEKIT_API_KEY: missing/)
    expect(output()).to.match(/LIVEKIT_API_SECRET: missing/)
    expect(output()).to.match(/PORT: a whole number from 0 to 65535/)
    expect(output()).not.to.match(/at .*\.ts:/)
  })

  describe('with an embedded Postgres and a live share', () => {
    let simulator: Simulator
    let dataPath: string
    let running: RunningProcess
    let url: string
    let token: string

    before(async () => {
      dataPath = await mkdtemp(join(tmpdir(), 'livekit-replay-test-'))
      await chmod(dataPath, 0o755)
      simulator = await startSimulator({ apiKey: API_KEY, apiSecret: API_SECRET })
      token = await memberToken('alice', 'stage')
      await start()
      simulator.join('stage', { identity: 'alice', name: 'Alice' })
      simulator.publishShare('stage', 'alice')
    })
    after(async () => {
      running.child.kill('SIGTERM')
      await running.ended
      await simulator.stop()
      await rm(dataPath, { recursive: true, force: true })
    })

    async function start(): Promise<void> {
      running = runNode('src/main.ts', [], {
        LIVEKIT_URL: simulator.url,
        LIVEKIT_API_KEY: API_KEY,
        LIVEKIT_API_SECRET: API_SECRET,
        REPLAY_DATA_PATH: dataPath,
        REPLAY_SEGMENT_DURATION_SECONDS: '1',
        REPLAY_MIN_FREE_BYTES: '0',
        PORT: '0',
      })
      url = await until('the service', () => /"url":"(http[^"]+)"/.exec(running.output())?.[1])
      simulator.setWebhookUrls([`${url}/webhooks/livekit`])
    }

    async function call(path: string, body?: unknown, headers: Record<string, string> = {}) {
      const authorization = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers }
      const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
      const answer = await fetch(`${url}${path}`, { ...init, headers: authorization })
      return { status: answer.status, body: (await answer.json()) as any } // oxlint-disable-line typescript/no-explicit-any
    }

    const liveSession = (seconds: number) =>
      until('the buffer', async () => {
        const { body } = await call('/v1/sessions?room=stage')
        const [session] = body.sessions
        return session?.coverage.coveredSeconds >= seconds && session
      })

    it('makes a clip ready that was being made when it was killed with -9 and started again', async () => {
      const session = await liveSession(3)
      const body = { lastSeconds: 3 }
      const made = await call(`/v1/sessions/${session.id}/clips`, body, { prefer: 'respond-async' })
      expect({ status: made.status, clip: made.body.status }).to.deep.equal({ status: 202, clip: 'waiting' })
      running.child.kill('SIGKILL')
      expect(await running.ended).to.equal('SIGKILL')

      await start()
      expect(running.output()).to.match(/embedded postgres adopted/)
      const clip = await until('the clip at rest', async () => {
        const { body: found } = await call(`/v1/clips/${made.body.id}`)
        return found.stored && found
      })
      expect(clip.coverage).to.include({ complete: true })
      const file = join(dataPath, 'killed.mp4')
      await writeFile(file, Buffer.from(await (await fetch(clip.links.file)).arrayBuffer()))
      const frames = await readPictureClock(ffmpegInstaller.path, file)
      expect(frames[0]?.wallMs).to.be.closeTo(Date.parse(clip.from), 70)
      expect(frames.at(-1)?.wallMs).to.be.closeTo(Date.parse(clip.to), 70)
      expect(await liveSession(5)).to.include({ id: session.id, status: 'active' })
    })

    it('says clearly that another one is running on the same data path, and exits 1', async () => {
      const second = runNode('src/main.ts', [], {
        LIVEKIT_URL: simulator.url,
        LIVEKIT_API_KEY: API_KEY,
        LIVEKIT_API_SECRET: API_SECRET,
        REPLAY_DATA_PATH: dataPath,
        PORT: '0',
      })
      expect(await second.ended).to.equal(1)
      expect(second.output()).to.match(/another livekit-replay is running on/)
    })

    it('ends cleanly on a signal, and leaves no Postgres behind', async () => {
      running.child.kill('SIGTERM')
      expect(await running.ended).to.equal(0)
      expect(running.output()).not.to.match(/"level":"error"/)
      const port = /"port":(\d+)/.exec(running.output())?.[1] ?? ''
      const refused = await fetch(`http://127.0.0.1:${port}`).catch((error: Error) => error)
      expect(refused).to.be.instanceOf(Error)
      await start()
      expect(running.output()).to.match(/embedded postgres started/)
    })

    it('ends cleanly on a signal that comes while it starts', async () => {
      running.child.kill('SIGTERM')
      await running.ended
      const path = { REPLAY_DATA_PATH: dataPath, PORT: '0' }
      const keys = { LIVEKIT_URL: simulator.url, LIVEKIT_API_KEY: API_KEY, LIVEKIT_API_SECRET: API_SECRET }
      const { child, output, ended } = runNode('src/main.ts', [], { ...keys, ...path })
      await until('the database', () => output().includes('embedded postgres started'))
      child.kill('SIGTERM')
      expect(await ended, output()).to.equal(0)
      expect(output()).to.match(/"message":"stopped"/)
      await start()
      expect(running.output()).to.match(/embedded postgres started/)
    })
  })
})
