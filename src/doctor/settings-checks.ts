import { isIP } from 'node:net'
import { SETTING_NAMES, type Config } from '../config.ts'
import { fail, ok, warn, type Finding } from './finding.ts'

/** What LiveKit wants of its secrets. */
const SHORTEST_SECRET = 32

/** Each wrong setting of a ConfigError's message. */
export function wrongSettings(message: string): Finding[] {
  return message
    .split('\n')
    .map((line) => fail('settings', line, 'set it in the environment or in .env: see README, Settings'))
}

/** What can be parsed and is likely not what was meant. */
export function checkSettings(env: Record<string, string | undefined>, config: Config): Finding[] {
  const unknown = Object.keys(env).filter((name) => name.startsWith('REPLAY_') && !SETTING_NAMES.includes(name))
  const doubts = unknown.map((name) =>
    warn('settings', `${name} is no setting`, 'is it misspelt? see README, Settings'),
  )
  if (config.livekit.keys.some(({ apiSecret }) => apiSecret.length < SHORTEST_SECRET))
    doubts.push(
      warn(
        'settings',
        `a secret has fewer than ${SHORTEST_SECRET} characters`,
        'LiveKit wants longer ones: openssl rand -hex 24 makes one',
      ),
    )
  if (isLoopback(config.host) && !isLoopback(new URL(config.livekit.url).hostname))
    doubts.push(
      warn(
        'settings',
        `HOST is ${config.host}, and LiveKit is elsewhere`,
        'set HOST=0.0.0.0, or put a proxy before it: LiveKit must reach /webhooks/livekit',
      ),
    )
  return doubts.length > 0
    ? doubts
    : [ok('settings', `${Object.keys(env).filter((name) => SETTING_NAMES.includes(name)).length} set, all good`)]
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
