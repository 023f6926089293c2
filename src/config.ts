import { hostname } from 'node:os'
import { isIP } from 'node:net'
import { isAbsolute, join, resolve } from 'node:path'
import { z } from 'zod'
import { ConfigError } from './errors.ts'
import { LOG_LEVELS, LOG_MODULES, type LogLevel, type LogLevels, type LogModule } from './log.ts'

export const QUALITIES = ['720p', '1080p', '1440p'] as const
export type Quality = (typeof QUALITIES)[number]

export const EGRESS_TYPES = ['participant', 'track_composite'] as const
export type EgressType = (typeof EGRESS_TYPES)[number]

export const AUTO_START_MODES = ['screen_share', 'opt_in', 'off'] as const
export type AutoStartMode = (typeof AUTO_START_MODES)[number]

const GIB = 1024 ** 3

const wholeNumber = (fallback: number, min: number, max: number) => {
  const allowed = `a whole number from ${min} to ${max}`
  return z
    .string()
    .regex(/^\d{1,16}$/, allowed)
    .transform(Number)
    .refine((value) => value >= min && value <= max, allowed)
    .default(fallback)
}

const oneOf = <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number]) =>
  z.enum(values, `one of ${values.join(', ')}`).default(fallback as never)

const flag = z
  .enum(['true', 'false'], 'true or false')
  .default('false')
  .transform((value) => value === 'true')

const url = (schemes: string[], what: string) =>
  z
    .string({ error: (issue) => (issue.input === undefined ? `missing: ${what}` : what) })
    .refine((value) => URL.canParse(value) && schemes.includes(new URL(value).protocol), what)

const secret = (what: string) => z.string(`missing: ${what}`).min(1, `missing: ${what}`)

/** `key: secret` a line, as LiveKit takes them. */
const keyLines = z.string().transform((text, context) => {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const keys = lines.map((line) => /^\s*([^\s:]+)\s*:\s*(\S+)\s*$/.exec(line))
  return keys.flatMap((found) => {
    if (found?.[1] !== undefined && found[2] !== undefined) return [{ apiKey: found[1], apiSecret: found[2] }]
    context.addIssue('a line for each key: its name, a colon, its secret')
    return []
  })
})

/** Things with commas between them; none is an empty list. */
const listOf = (isGood: (item: string) => boolean, allowed: string) =>
  z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((item) => (item.trim() === '' ? [] : [item.trim()])))
    .refine((items) => items.every(isGood), allowed)

const isHttp = (text: string) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)

const origins = listOf(
  (item) => item === '*' || (isHttp(item) && new URL(item).origin === item),
  'origins such as https://app.example.com with commas between them, or *',
)

/** Each may keep one job busy for as long as it hangs: with more of them nothing would be left for clips. */
const MOST_WEBHOOK_URLS = 4
const webhookUrls = listOf(
  (item) => isHttp(item) && new URL(item).username === '',
  'http or https URLs without credentials, with commas between them',
).refine((urls) => urls.length <= MOST_WEBHOOK_URLS, `at most ${MOST_WEBHOOK_URLS}`)

/** As express takes it: nobody, everybody, so many hops, or addresses. */
const proxies = z
  .string()
  .default('false')
  .refine(
    (text) => /^(true|false|\d{1,2})$/.test(text) || text.split(',').every(isProxy),
    'false, true, how many proxies there are, or their addresses with commas between them',
  )
  .transform((text) => (/^(true|false|\d+)$/.test(text) ? (JSON.parse(text) as boolean | number) : text))

function isProxy(text: string): boolean {
  const [address = '', bits] = text.trim().split('/')
  if (/^(loopback|linklocal|uniquelocal)$/.test(text.trim())) return true
  return isIP(address) > 0 && (bits === undefined || /^\d{1,3}$/.test(bits))
}

const isLevel = (text: string): text is LogLevel => LOG_LEVELS.includes(text as LogLevel)
const isModule = (text: string): text is LogModule => LOG_MODULES.includes(text as LogModule)

/** `info,segment=debug`: of everything, and of the parts that differ. */
const logLevels = z
  .string()
  .default('info')
  .transform((text, context): LogLevels => {
    const levels: LogLevels & { modules: object } = { level: 'info', modules: {} }
    for (const item of text.split(',').map((part) => part.trim())) {
      const [name = '', level, ...more] = item.split('=')
      if (level === undefined && isLevel(name)) levels.level = name
      else if (level !== undefined && more.length === 0 && isModule(name) && isLevel(level))
        Object.assign(levels.modules, { [name]: level })
      else
        context.addIssue(
          `"${item}" is neither a level (${LOG_LEVELS.join(', ')}) nor <part>=<level>, of the parts ${LOG_MODULES.join(', ')}`,
        )
    }
    return levels
  })

const settings = z.object({
  LIVEKIT_URL: url(['ws:', 'wss:', 'http:', 'https:'], 'where LiveKit is, for example wss://livekit.example.com'),
  LIVEKIT_API_KEY: secret('the API key that LiveKit signs its webhooks with'),
  LIVEKIT_API_SECRET: secret('the secret of that API key'),
  LIVEKIT_KEYS: keyLines.optional(),
  DATABASE_URL: url(['postgres:', 'postgresql:'], 'a Postgres URL, for example postgres://user@host/name').optional(),
  HOST: z.string().default('127.0.0.1'),
  PORT: wholeNumber(8080, 0, 65_535),
  REPLAY_DATA_PATH: z.string().default('./data'),
  REPLAY_BUFFER_PATH: z.string().optional(),
  REPLAY_EGRESS_PATH: z.string().refine(isAbsolute, 'an absolute path').optional(),
  REPLAY_STORAGE_PATH: z.string().optional(),
  REPLAY_BUFFER_DURATION_MINUTES: wholeNumber(10, 1, 240),
  REPLAY_CLEANUP_BUFFER_MINUTES: wholeNumber(12, 1, 300),
  REPLAY_UNSHARE_LINGER_SECONDS: wholeNumber(10, 0, 300),
  REPLAY_SEGMENT_DURATION_SECONDS: wholeNumber(2, 1, 10),
  REPLAY_GRACE_MINUTES: wholeNumber(10, 0, 1440),
  REPLAY_AUTO_START: oneOf(AUTO_START_MODES, 'screen_share'),
  REPLAY_EGRESS_TYPE: oneOf(EGRESS_TYPES, 'participant'),
  REPLAY_QUALITY: oneOf(QUALITIES, '1080p'),
  REPLAY_MAX_SESSION_HOURS: wholeNumber(3, 1, 240),
  REPLAY_COMMUNITY_MAX_SESSIONS: wholeNumber(5, 1, 10_000),
  REPLAY_CAPTURES_PER_MINUTE: wholeNumber(6, 1, 1_000_000),
  REPLAY_QUOTA_BYTES: wholeNumber(5 * GIB, 0, 2 ** 50),
  REPLAY_MIN_FREE_BYTES: wholeNumber(2 * GIB, 0, 2 ** 50),
  REPLAY_WATCH_POLLING: flag,
  REPLAY_NODE: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,100}$/, '1 to 100 letters, digits, dots, dashes')
    .optional(),
  REPLAY_NODE_URL: url(['http:', 'https:'], 'an http or https URL').optional(),
  REPLAY_PUBLIC_URL: url(['http:', 'https:'], 'an http or https URL').optional(),
  REPLAY_CORS_ORIGINS: origins,
  REPLAY_METRICS_TOKEN: z.string().min(16, 'at least 16 characters').optional(),
  REPLAY_NOTIFY_ROOM: flag,
  REPLAY_WEBHOOK_URLS: webhookUrls,
  TRUST_PROXY: proxies,
  FFMPEG_PATH: z.string().optional(),
  LOG_LEVEL: logLevels,
})

/** Every variable that is read. */
export const SETTING_NAMES: readonly string[] = Object.keys(settings.shape)

export type Config = ReturnType<typeof parseConfig>

/**
 * The settings as values, durations in ms, paths absolute. Empty variables count as
 * unset. Throws a ConfigError that names every wrong variable and what is allowed.
 */
export function parseConfig(env: Record<string, string | undefined>) {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = settings.safeParse(given)
  const problems = parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  const cleanup = Number(given['REPLAY_CLEANUP_BUFFER_MINUTES'] ?? 12)
  if (cleanup < Number(given['REPLAY_BUFFER_DURATION_MINUTES'] ?? 10))
    problems.push('REPLAY_CLEANUP_BUFFER_MINUTES: at least REPLAY_BUFFER_DURATION_MINUTES')
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems.join('\n'))
  return toConfig(parsed.data)
}

function toConfig(set: z.output<typeof settings>) {
  const mainKey = { apiKey: set.LIVEKIT_API_KEY, apiSecret: set.LIVEKIT_API_SECRET }
  const dataPath = resolve(set.REPLAY_DATA_PATH)
  const bufferPath = resolve(set.REPLAY_BUFFER_PATH ?? join(dataPath, 'buffer'))
  return {
    livekit: {
      url: set.LIVEKIT_URL,
      ...mainKey,
      /** All that are good, the one that we sign with first. */
      keys: [mainKey, ...(set.LIVEKIT_KEYS ?? []).filter(({ apiKey }) => apiKey !== mainKey.apiKey)],
    },
    databaseUrl: set.DATABASE_URL,
    host: set.HOST,
    port: set.PORT,
    dataPath,
    bufferPath,
    egressPath: (set.REPLAY_EGRESS_PATH ?? bufferPath).replace(/\/+$/, ''),
    storagePath: resolve(set.REPLAY_STORAGE_PATH ?? join(dataPath, 'replays')),
    bufferDurationMs: set.REPLAY_BUFFER_DURATION_MINUTES * 60_000,
    cleanupBufferMs: set.REPLAY_CLEANUP_BUFFER_MINUTES * 60_000,
    unshareLingerMs: set.REPLAY_UNSHARE_LINGER_SECONDS * 1000,
    segmentDurationSeconds: set.REPLAY_SEGMENT_DURATION_SECONDS,
    graceMs: set.REPLAY_GRACE_MINUTES * 60_000,
    autoStart: set.REPLAY_AUTO_START,
    egressType: set.REPLAY_EGRESS_TYPE,
    quality: set.REPLAY_QUALITY,
    maxSessionMs: set.REPLAY_MAX_SESSION_HOURS * 3_600_000,
    communityMaxSessions: set.REPLAY_COMMUNITY_MAX_SESSIONS,
    capturesPerMinute: set.REPLAY_CAPTURES_PER_MINUTE,
    quotaBytes: set.REPLAY_QUOTA_BYTES,
    minFreeBytes: set.REPLAY_MIN_FREE_BYTES,
    watchPolling: set.REPLAY_WATCH_POLLING,
    node: set.REPLAY_NODE ?? hostname(),
    nodeUrl: set.REPLAY_NODE_URL?.replace(/\/+$/, ''),
    publicUrl: set.REPLAY_PUBLIC_URL?.replace(/\/+$/, ''),
    corsOrigins: set.REPLAY_CORS_ORIGINS,
    metricsToken: set.REPLAY_METRICS_TOKEN,
    notifyRoom: set.REPLAY_NOTIFY_ROOM,
    webhookUrls: set.REPLAY_WEBHOOK_URLS,
    trustProxy: set.TRUST_PROXY,
    ffmpegPath: set.FFMPEG_PATH,
    logLevels: set.LOG_LEVEL,
  }
}
