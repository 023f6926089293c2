import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { EGRESS_TYPES, parseConfig } from '../config.ts'
import { createLog } from '../log.ts'
import { startService } from '../service.ts'
import { playDemo, tellStory } from './demo-story.ts'
import { startSimulator } from './simulator.ts'

/** `npm run demo`: the whole product with a simulated LiveKit, on a machine that has nothing but Node. */

const API_KEY = 'demo'
const API_SECRET = 'a-secret-that-only-this-demo-knows'

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    'egress-type': { type: 'string', default: 'participant' },
    port: { type: 'string', default: '8080' },
    verbose: { type: 'boolean', default: false },
  },
})
const egressType = EGRESS_TYPES.find((type) => type === values['egress-type'])
if (!egressType) {
  process.stderr.write(`--egress-type: one of ${EGRESS_TYPES.join(', ')}\n`)
  process.exit(2)
}

const startedAt = Date.now()
const dataPath = await mkdtemp(join(tmpdir(), 'livekit-replay-demo-'))
// Started by root, Postgres runs as somebody else, who must get in.
await chmod(dataPath, 0o755)
const stops: (() => Promise<unknown>)[] = [() => rm(dataPath, { recursive: true, force: true })]
let stopping: Promise<void> | undefined

process.on('SIGINT', onSignal)
process.on('SIGTERM', onSignal)

try {
  const simulator = await startSimulator({ apiKey: API_KEY, apiSecret: API_SECRET })
  stops.push(() => simulator.stop())
  const config = parseConfig({
    LIVEKIT_URL: simulator.url,
    LIVEKIT_API_KEY: API_KEY,
    LIVEKIT_API_SECRET: API_SECRET,
    PORT: String(await freePort(Number(values.port))),
    REPLAY_DATA_PATH: dataPath,
    REPLAY_EGRESS_TYPE: egressType,
    REPLAY_MIN_FREE_BYTES: '0',
  })
  const log = createLog({ level: values.verbose ? 'debug' : 'error', readable: true })
  const service = await startService(config, { log })
  stops.push(() => service.stop())
  simulator.setWebhookUrls([`${service.url}/webhooks/livekit`])
  const story = tellStory(startedAt)
  const proved = await playDemo({
    simulator,
    url: service.url,
    apiKey: API_KEY,
    apiSecret: API_SECRET,
    dataPath,
    story,
  })
  if (values.once || !proved) await end(proved ? 0 : 1)
} catch (error) {
  if (!stopping) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    await end(1)
  }
}

function onSignal(): void {
  if (stopping) process.exit(130)
  process.stdout.write('\nStopping; Ctrl-C again stops at once.\n')
  void end(0)
}

async function end(exitCode: number): Promise<void> {
  stopping ??= (async () => {
    for (let stop = stops.pop(); stop; stop = stops.pop()) await stop()
  })()
  await stopping
  process.exitCode = exitCode
}

/** The port that was asked for, or any if something else has it. */
async function freePort(wanted: number): Promise<number> {
  const server = createServer()
  const isFree = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false)).listen(wanted, '127.0.0.1', () => resolve(true))
  })
  if (isFree) await new Promise((resolve) => server.close(resolve))
  return isFree ? wanted : 0
}
