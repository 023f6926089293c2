import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { runChecks } from '../../src/check-data/run-checks.ts'
import { parseConfig } from '../../src/config.ts'
import { startService } from '../../src/service.ts'
import { silentLog } from '../support/log.ts'
import { startTwirpStub } from '../support/recording.ts'
import { until } from '../support/until.ts'
import { RECORDED_AT, startBuffer, type TestBuffer } from './buffer.ts'

const LONG_AGO = new Date('2026-01-01T00:00:00Z')
const ENDED = { status: 'ended', ended_reason: 'unshared', ended_at: RECORDED_AT } as const

describe('a service that was killed', () => {
  let buffer: TestBuffer
  let livekit: Awaited<ReturnType<typeof startTwirpStub>>

  before(async () => {
    buffer = await startBuffer()
    livekit = await startTwirpStub({})
  })
  after(async () => {
    await livekit.stop()
    await buffer.stop()
  })

  const environment = () => ({
    LIVEKIT_URL: livekit.url,
    LIVEKIT_API_KEY: 'key',
    LIVEKIT_API_SECRET: 'secretsecretsecretsecretsecretsecret',
    DATABASE_URL: buffer.databaseUrl,
    REPLAY_DATA_PATH: join(buffer.bufferPath, 'data'),
    REPLAY_BUFFER_PATH: buffer.bufferPath,
    REPLAY_MIN_FREE_BYTES: '0',
    REPLAY_NODE: 'here',
    PORT: '0',
  })

  async function killAt(step: string, count: number): Promise<void> {
    const env = { ...environment(), PATH: process.env['PATH'], KILL_AT: step, KILL_COUNT: String(count) }
    const child = fork(new URL('killed-service.ts', import.meta.url), {
      env,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
    expect(signal, step).to.equal('SIGKILL')
  }

  /** Starts it again, until it has done what it had left undone; then nothing is wrong with anything. */
  async function startAgain(isDone: () => Promise<boolean>): Promise<void> {
    for (const id of (await readdir(buffer.bufferPath)).filter((name) => name !== 'data'))
      for (const name of await buffer.files(id)) await utimes(join(buffer.directory(id), name), LONG_AGO, LONG_AGO)
    const config = parseConfig(environment())
    const service = await startService(config, { log: silentLog })
    try {
      await until('all to be done', isDone)
      const { storagePath } = config
      const said: string[] = []
      const options = { repair: false, force: false, say: (line: string) => said.push(line) }
      const wrong = await runChecks({ ...buffer.deps, now: () => new Date(), storagePath }, options)
      expect(wrong, said.join('\n')).to.equal(0)
    } finally {
      await service.stop()
    }
  }

  /** With how many sample files are there then: each comes whole, by its rename. */
  const LANDING: [string, number, number][] = [
    ['temporary file written', 2, 1],
    ['sample file renamed', 2, 2],
    ['rows recorded', 1, 3],
    ['sources unlinked', 1, 3],
  ]
  for (const [step, count, samples] of LANDING)
    it(`while landing, after "${step}", lands the rest at its next start, each segment once`, async () => {
      const id = await buffer.addSession({ clock_origin: new Date(), clock_source: 'measured' })
      await buffer.land(id, 'participant-stopped', { to: 3 })
      await killAt(step, count)
      expect((await buffer.files(id)).filter((name) => name.endsWith('.samples'))).to.have.length(samples)
      await startAgain(async () => {
        const names = await buffer.files(id)
        return names.length === 5 && names.filter((name) => name.endsWith('.samples')).length === 3
      })
      const rows = await buffer.rows(id)
      expect(rows.map(({ sequence, start_ms, unreadable }) => [sequence, start_ms, unreadable])).to.deep.equal([
        [0, 0, null],
        [1, 2000, null],
        [2, 4000, null],
      ])
    })

  const DELETING: [string, number][] = [
    ['segments marked', 1],
    ['file unlinked', 3],
    ['directory deleted', 1],
  ]
  for (const [step, count] of DELETING)
    it(`while deleting, after "${step}", deletes the rest at its next start`, async () => {
      const id = await buffer.addSession({ ...ENDED, expires_at: RECORDED_AT, node: 'here' })
      await buffer.fill(id, 6)
      await killAt(step, count)
      await startAgain(async () => {
        const session = await buffer.db
          .selectFrom('egress_sessions')
          .selectAll()
          .where('id', '=', id)
          .executeTakeFirst()
        return session?.purged_at != null && !(await readdir(buffer.bufferPath)).includes(id)
      })
      expect((await buffer.rows(id)).every((row) => row.deleted_at !== null)).to.equal(true)
    })

  it('while deleting what is too old, deletes no file whose row is not marked', async () => {
    const id = await buffer.addSession({ clock_origin: new Date(Date.now() - 800_000), clock_source: 'measured' })
    await buffer.db.updateTable('egress_sessions').set({ node: 'here' }).where('id', '=', id).execute()
    await buffer.fill(id, 100)
    await killAt('file unlinked', 5)
    const marked = async () => (await buffer.rows(id)).filter((row) => row.deleted_at !== null).length
    expect(await marked()).to.be.at.least(5)
    expect(await buffer.files(id)).to.have.length(95)
    // Every two seconds one more is too old.
    await startAgain(async () => (await buffer.files(id)).length === 100 - (await marked()))
  })
})
