import pg from 'pg'
import { parseConfig, type Config } from '../config.ts'
import { findDatabase } from '../db/find-database.ts'
import { ConfigError } from '../errors.ts'
import { createEgressApi } from '../livekit/egress.ts'
import { createPing } from '../livekit/ping.ts'
import { createProbeRooms } from '../livekit/probe-room.ts'
import { createWebhookSigner } from '../livekit/sign-webhook.ts'
import type { Log } from '../log.ts'
import { checkDatabase } from './database-checks.ts'
import { checkDisk } from './disk-checks.ts'
import { checkFfmpeg } from './ffmpeg-checks.ts'
import { look, type Finding } from './finding.ts'
import { checkLivekit } from './livekit-checks.ts'
import { probe, WEBHOOK_LIMIT_MS } from './probe.ts'
import { checkService } from './service-checks.ts'
import { checkSettings, wrongSettings } from './settings-checks.ts'
import { checkWebhooks } from './webhook-checks.ts'

export interface DoctorOptions {
  env: Record<string, string | undefined>
  log: Log
  /** Where the service is, if it is not where its settings say. */
  url: string | undefined
  /** Also tries a webhook and a recording for real. */
  isProbing: boolean
  /** How long a probe waits for its webhook. */
  webhookLimitMs?: number
  /** Told of each finding when it is made. */
  say: (finding: Finding) => void
}

/** Looks at everything that the service needs. Returns what it found, in order; it never throws for what is wrong. */
export async function runDoctor(options: DoctorOptions): Promise<Finding[]> {
  const findings: Finding[] = []
  const note = (found: Finding[]) => {
    findings.push(...found)
    found.forEach(options.say)
  }
  let config: Config
  try {
    config = parseConfig(options.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    note(wrongSettings(error.message))
    return findings
  }
  note(checkSettings(options.env, config))
  const serviceUrl = (options.url ?? localUrl(config)).replace(/\/+$/, '')
  note(await lookAtLivekit(config))
  note(await look('service', () => checkService({ serviceUrl, signWebhook: createWebhookSigner(config.livekit) }), SEE))
  note(await lookIntoDatabase(config, options, serviceUrl))
  note(await look('disk', () => checkDisk(config), SEE))
  note(await look('ffmpeg', async () => [await checkFfmpeg(config.ffmpegPath ?? (await bundledFfmpeg()))], FFMPEG))
  return findings
}

const SEE = 'this is a fault of the doctor: please report it'
const FFMPEG = 'install ffmpeg and name it with FFMPEG_PATH'

const apisOf = ({ livekit, egressPath }: Config) => ({
  egress: createEgressApi(livekit, egressPath),
  ping: createPing(livekit),
})

function lookAtLivekit(config: Config): Promise<Finding[]> {
  return look('livekit', () => checkLivekit({ livekitUrl: config.livekit.url, ...apisOf(config) }), SEE)
}

/** The probe needs the database too: what LiveKit told the service is there. */
async function lookIntoDatabase(
  config: Config,
  { log, isProbing, webhookLimitMs = WEBHOOK_LIMIT_MS }: DoctorOptions,
  serviceUrl: string,
): Promise<Finding[]> {
  const todo = 'is DATABASE_URL right, is Postgres running, and may this machine reach it?'
  let client: pg.Client | undefined
  let stop = async () => {}
  const open = async () => {
    const found = await findDatabase(config, log)
    stop = found.stop
    const checked = await checkDatabase(found.connectionString)
    const connected = new pg.Client({ connectionString: found.connectionString, connectionTimeoutMillis: 3000 })
    connected.on('error', () => undefined)
    await connected.connect()
    client = connected
    const webhooks = () => checkWebhooks(connected, serviceUrl)
    return [...checked, ...(await look('webhooks', webhooks, 'what LiveKit sent is in the database: see its rights'))]
  }
  try {
    const found = await look('database', open, todo)
    const rooms = createProbeRooms(config.livekit)
    const tried = isProbing
      ? await look('probe', () => probe({ config, ...apisOf(config), rooms, database: client, webhookLimitMs }), SEE)
      : []
    return [...found, ...tried]
  } finally {
    await client?.end().catch(() => undefined)
    await stop()
  }
}

/** From this machine, where it listens. */
function localUrl({ host, port }: Config): string {
  const isAnywhere = host === '0.0.0.0' || host === '::'
  return `http://${isAnywhere ? '127.0.0.1' : host}:${port}`
}

async function bundledFfmpeg(): Promise<string> {
  return (await import('@ffmpeg-installer/ffmpeg')).default.path
}
