import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { sql } from 'kysely'
import type { Finding } from '../../src/doctor/finding.ts'
import { runDoctor } from '../../src/doctor/run-doctor.ts'
import { noFaults } from '../../src/simulator/faults.ts'
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { QUICK } from '../session/stage.ts'
import { startStillWriter } from '../simulator/still-writer.ts'
import { silentLog } from '../support/log.ts'
import { runNode } from '../support/process.ts'
import { API_KEY, API_SECRET, startTestService, type TestService } from '../support/service.ts'

const NOWHERE = 'http://127.0.0.1:1'

describe('the doctor', () => {
  let simulator: Simulator
  let test: TestService

  before(async () => {
    const writer = { startWriter: startStillWriter, timing: QUICK }
    simulator = await startSimulator({ apiKey: API_KEY, apiSecret: API_SECRET, ...writer })
    test = await startTestService({ livekitUrl: simulator.url })
  })
  beforeEach(() => {
    Object.assign(simulator.faults, noFaults())
    simulator.setWebhookUrls([`${test.url}/webhooks/livekit`])
  })
  after(async () => {
    await test.stop()
    await simulator.stop()
  })

  const environment = () => ({
    LIVEKIT_URL: simulator.url,
    LIVEKIT_API_KEY: API_KEY,
    LIVEKIT_API_SECRET: API_SECRET,
    DATABASE_URL: test.database.url,
    REPLAY_DATA_PATH: test.config.dataPath,
    REPLAY_MIN_FREE_BYTES: '0',
    FFMPEG_PATH: ffmpegInstaller.path,
  })

  interface Options {
    env?: Record<string, string>
    url?: string
    isProbing?: boolean
    webhookLimitMs?: number
  }

  async function examine({ env = {}, url = test.url, isProbing = false, webhookLimitMs = 8000 }: Options = {}): Promise<
    Finding[]
  > {
    const all = { ...environment(), ...env }
    const options = { log: silentLog, url, isProbing, webhookLimitMs, say: () => undefined }
    const findings = await runDoctor({ env: all, ...options })
    const password = new URL(all.DATABASE_URL).password
    const text = JSON.stringify(findings)
    expect(text).not.to.contain(all.LIVEKIT_API_SECRET)
    if (password !== '') expect(text).not.to.contain(password)
    for (const { state, todo, check } of findings) expect(todo === undefined, check).to.equal(state === 'ok')
    return findings
  }

  const namesOf = (findings: Finding[], state: Finding['state']) =>
    findings.filter((finding) => finding.state === state).map(({ check }) => check)
  const wordsOf = (findings: Finding[], name: string) => findings.find(({ check }) => check === name)?.found

  it('finds nothing wrong with a service that is well, and shows that webhooks come and egress takes a recording', async () => {
    const findings = await examine({ isProbing: true })
    expect(namesOf(findings, 'fail')).to.deep.equal([])
    expect(namesOf(findings, 'ok')).to.include.members([
      'livekit',
      'livekit key',
      'livekit clock',
      'egress',
      'service',
      'webhook door',
      'database version',
      'database rights',
      'database notices',
      'database clock',
      'probe webhook',
      'probe egress',
      'buffer',
      'buffer events',
      'storage',
      'ffmpeg',
    ])
    expect(wordsOf(findings, 'database version')).to.match(/^Postgres \d/)
    expect(wordsOf(findings, 'ffmpeg')).to.match(/with all that posters need/)
    expect(wordsOf(await examine(), 'webhooks')).to.match(/the last from LiveKit came \d+ s ago/)
  })

  it('names three faults of LiveKit at once: no egress, no webhook, a clock that is off', async () => {
    Object.assign(simulator.faults, { egressApiUnavailable: true, startUnavailable: true, clockOffMs: -42_000 })
    simulator.setWebhookUrls([`${NOWHERE}/webhooks/livekit`])
    const findings = await examine({ isProbing: true, webhookLimitMs: 300 })
    expect(namesOf(findings, 'fail')).to.have.members(['livekit clock', 'egress', 'probe webhook', 'probe egress'])
    expect(wordsOf(findings, 'livekit clock')).to.match(/its clock is -4[12] s from ours/)
    expect(wordsOf(findings, 'egress')).to.match(/no response from servers/)
  })

  it('warns of a clock that is off by less than breaks anything', async () => {
    simulator.faults.clockOffMs = 5000
    const findings = await examine()
    expect(namesOf(findings, 'fail')).to.deep.equal([])
    expect(namesOf(findings, 'warn')).to.include('livekit clock')
  })

  it('tells a wrong secret from a LiveKit that is away', async () => {
    const wrong = await examine({ env: { LIVEKIT_API_SECRET: 'not-the-secret-that-livekit-was-given' } })
    expect(namesOf(wrong, 'fail')).to.have.members(['livekit key', 'webhook door'])
    expect(wordsOf(wrong, 'webhook door')).to.match(/401/)
    const away = await examine({ env: { LIVEKIT_URL: NOWHERE } })
    expect(namesOf(away, 'fail')).to.deep.equal(['livekit'])
    expect(wordsOf(away, 'livekit')).to.match(/nobody answers at http:\/\/127\.0\.0\.1:1: .*(ECONNREFUSED|bad port)/)
  })

  it('says that the service does not run, that its disk cannot be written, and that its ffmpeg is none', async () => {
    const env = {
      REPLAY_BUFFER_PATH: '/dev/null/buffer',
      FFMPEG_PATH: '/bin/true',
      REPLAY_MIN_FREE_BYTES: String(2 ** 50),
    }
    const findings = await examine({ env, url: NOWHERE })
    expect(namesOf(findings, 'fail')).to.have.members(['service', 'buffer', 'storage space', 'ffmpeg'])
    expect(wordsOf(findings, 'buffer')).to.match(/ENOTDIR/)
  })

  it('says that the database cannot be reached, without its password', async () => {
    const findings = await examine({ env: { DATABASE_URL: 'postgres://replay:hunter2hunter2@127.0.0.1:1/replay' } })
    expect(namesOf(findings, 'fail')).to.deep.equal(['database'])
    expect(wordsOf(findings, 'database')).to.match(/ECONNREFUSED/)
  })

  it('says what a database user may not do, and how to let it', async () => {
    const { db } = test.service
    await sql`create role replay_doctor_test login password 'only-for-this-test'`.execute(db)
    const url = new URL(test.database.url)
    Object.assign(url, { username: 'replay_doctor_test', password: 'only-for-this-test' })
    const findings = await examine({ env: { DATABASE_URL: url.href } })
    await sql`drop role replay_doctor_test`.execute(db)
    const found = findings.find(({ check }) => check === 'database rights')
    expect(found?.state).to.equal('fail')
    expect(found?.todo).to.contain('grant create on schema public to "replay_doctor_test"')
  })

  it('names wrong settings, and those that are probably misspelt', async () => {
    const findings = await examine({ env: { PORT: 'eighty', REPLAY_QUALITY: '4k' } })
    expect(findings.map(({ check, state }) => `${check} ${state}`)).to.deep.equal(['settings fail', 'settings fail'])
    const doubtful = await examine({ env: { REPLAY_QUOTA_BYTE: '5', HOST: '127.0.0.1' } })
    expect(doubtful.find(({ check }) => check === 'settings')).to.include({
      state: 'warn',
      found: 'REPLAY_QUOTA_BYTE is no setting',
    })
  })

  it('as a program prints a line for each look and what to do, exits 1 if anything is wrong, and speaks JSON', async () => {
    const well = runNode('src/doctor.ts', ['--url', test.url], environment())
    expect(await well.ended, well.output()).to.equal(0)
    expect(well.output())
      .to.match(/^ok {4}livekit key {11}is taken$/m)
      .and.match(/^0 wrong, \d+ doubtful, \d+ well$/m)
    const ill = runNode('src/doctor.ts', ['--json', '--url', NOWHERE], environment())
    expect(await ill.ended, ill.output()).to.equal(1)
    const { ok, findings } = JSON.parse(ill.output()) as { ok: boolean; findings: Finding[] }
    expect(ok).to.equal(false)
    expect(namesOf(findings, 'fail')).to.deep.equal(['service'])
  })
})
