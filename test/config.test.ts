import { expect } from 'chai'
import { parseConfig } from '../src/config.ts'
import { ConfigError } from '../src/errors.ts'

const LIVEKIT = { LIVEKIT_URL: 'wss://livekit.example', LIVEKIT_API_KEY: 'key', LIVEKIT_API_SECRET: 'secret' }

function problemsOf(env: Record<string, string>): string[] {
  try {
    parseConfig(env)
    return []
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError)
    return (error as ConfigError).message.split('\n')
  }
}

describe('the settings', () => {
  it('have the defaults of the design when only LiveKit is named', () => {
    const config = parseConfig(LIVEKIT)
    expect(config).to.deep.include({
      host: '127.0.0.1',
      port: 8080,
      databaseUrl: undefined,
      bufferDurationMs: 600_000,
      cleanupBufferMs: 720_000,
      unshareLingerMs: 10_000,
      segmentDurationSeconds: 2,
      graceMs: 600_000,
      autoStart: 'screen_share',
      egressType: 'participant',
      quality: '1080p',
      maxSessionMs: 3 * 3_600_000,
      communityMaxSessions: 5,
      quotaBytes: 5 * 1024 ** 3,
      minFreeBytes: 2 * 1024 ** 3,
      watchPolling: false,
      logLevels: { level: 'info', modules: {} },
    })
    expect(config.bufferPath).to.equal(`${config.dataPath}/buffer`)
    expect(config.storagePath).to.equal(`${config.dataPath}/replays`)
    expect(config.egressPath).to.equal(config.bufferPath)
  })

  it('take a level for everything and for parts, and name what is neither', () => {
    const { logLevels } = parseConfig({ ...LIVEKIT, LOG_LEVEL: 'warn, segment=debug,http=error' })
    expect(logLevels).to.deep.equal({ level: 'warn', modules: { segment: 'debug', http: 'error' } })
    const problems = problemsOf({ ...LIVEKIT, LOG_LEVEL: 'loud,engine=debug,http=quiet,http' })
    expect(problems).to.have.length(4)
    expect(problems[0]).to.match(
      /^LOG_LEVEL: "loud" is neither a level \(error, warn, info, debug\) nor <part>=<level>, of the parts webhook, session/,
    )
    expect(problems[1]).to.match(/"engine=debug"/)
  })

  it('name every wrong variable at once, and what is allowed', () => {
    const problems = problemsOf({
      ...LIVEKIT,
      LIVEKIT_URL: 'livekit',
      PORT: '70000',
      REPLAY_SEGMENT_DURATION_SECONDS: '0',
      REPLAY_QUALITY: '4k',
      REPLAY_EGRESS_PATH: 'relative',
      REPLAY_WATCH_POLLING: 'yes',
      DATABASE_URL: 'mysql://x',
    })
    expect(problems).to.have.members([
      'LIVEKIT_URL: where LiveKit is, for example wss://livekit.example.com',
      'DATABASE_URL: a Postgres URL, for example postgres://user@host/name',
      'PORT: a whole number from 0 to 65535',
      'REPLAY_EGRESS_PATH: an absolute path',
      'REPLAY_SEGMENT_DURATION_SECONDS: a whole number from 1 to 10',
      'REPLAY_QUALITY: one of 720p, 1080p, 1440p',
      'REPLAY_WATCH_POLLING: true or false',
    ])
  })

  it('take several keys, origins, URLs and proxies, and refuse what is none without saying it', () => {
    const config = parseConfig({
      ...LIVEKIT,
      LIVEKIT_KEYS: 'key: secret\n old :  older-secret \n\n',
      REPLAY_CORS_ORIGINS: 'https://a.example, http://localhost:3000',
      REPLAY_WEBHOOK_URLS: 'https://b.example/hook?k=1',
      TRUST_PROXY: 'loopback, 10.0.0.0/8',
    })
    expect(config.livekit.keys).to.deep.equal([
      { apiKey: 'key', apiSecret: 'secret' },
      { apiKey: 'old', apiSecret: 'older-secret' },
    ])
    expect(config).to.deep.include({
      corsOrigins: ['https://a.example', 'http://localhost:3000'],
      webhookUrls: ['https://b.example/hook?k=1'],
      trustProxy: 'loopback, 10.0.0.0/8',
    })
    const trusted = ['true', 'false', '2'].map((text) => parseConfig({ ...LIVEKIT, TRUST_PROXY: text }).trustProxy)
    expect(trusted).to.deep.equal([true, false, 2])
    const problems = problemsOf({
      ...LIVEKIT,
      LIVEKIT_KEYS: 'hunter2',
      REPLAY_CORS_ORIGINS: 'https://a.example/path',
      REPLAY_WEBHOOK_URLS: 'https://user:hunter2@b.example',
      TRUST_PROXY: 'somebody',
    })
    expect(problems.map((problem) => problem.replace(/:.*/, ''))).to.have.members([
      'LIVEKIT_KEYS',
      'REPLAY_CORS_ORIGINS',
      'REPLAY_WEBHOOK_URLS',
      'TRUST_PROXY',
    ])
    expect(problems.join()).not.to.contain('hunter2')
  })

  it('take an empty variable for one that is not set', () => {
    expect(parseConfig({ ...LIVEKIT, PORT: '', DATABASE_URL: '' })).to.include({ port: 8080, databaseUrl: undefined })
  })

  it('do not let segments go before a capture may reach back to them', () => {
    expect(problemsOf({ ...LIVEKIT, REPLAY_BUFFER_DURATION_MINUTES: '20' })).to.deep.equal([
      'REPLAY_CLEANUP_BUFFER_MINUTES: at least REPLAY_BUFFER_DURATION_MINUTES',
    ])
  })

  it('never say a value that may be a secret', () => {
    const problems = problemsOf({ ...LIVEKIT, LIVEKIT_API_SECRET: '', LIVEKIT_URL: 'ftp://user:hunter2@example' })
    expect(problems.join()).not.to.contain('hunter2')
  })
})
