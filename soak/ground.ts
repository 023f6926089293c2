import { execFile, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { readNpmStart } from '../bench/npm-start.ts'
import { createDb, createPool, type Db } from '../src/db/connect.ts'
import { startEmbeddedPostgres } from '../src/db/embedded.ts'
import { postgresUser } from '../src/db/postgres-user.ts'
import { createLog } from '../src/log.ts'
import { startSimulator, type Simulator } from '../src/simulator/simulator.ts'

/*
 * Everything a soak stands on, each in a process of its own that can be taken away: the
 * service, its Postgres, and a LiveKit (in this process, its encoders outside); and a disk
 * that can be filled.
 */

export const API_KEY = 'soak'
export const API_SECRET = 'a-secret-that-only-this-soak-knows'

const MIB = 1024 ** 2
const DISK_BYTES = 1024 * MIB
const MIN_FREE_BYTES = 64 * MIB

export interface Ground {
  simulator: Simulator
  url: string
  db: Db
  dataPath: string
  /** Of the service that runs now. */
  pid: () => number | undefined
  environment: () => Record<string, string>
  killService: () => Promise<void>
  startService: () => Promise<void>
  stepClock: (offsetMs: number) => void
  stopPostgres: () => Promise<void>
  startPostgres: () => Promise<void>
  /** Leaves so much room; false when there is no disk of our own. */
  fillDisk: (leaveBytes: number) => Promise<boolean>
  freeDisk: () => Promise<void>
  /** What the service said at level `error`, by message. */
  errors: Map<string, number>
  stop: () => Promise<void>
}

const run = promisify(execFile)
const log = createLog({ level: 'error', readable: true })

export async function startGround(
  seed: number,
  env: Record<string, string>,
  onDeath: (what: string) => void,
): Promise<Ground> {
  const directory = await mkdtemp(join(tmpdir(), 'livekit-replay-soak-'))
  await chmod(directory, 0o755)
  const dataPath = join(directory, 'data')
  await mkdir(dataPath)
  const hasDisk = await mountDisk(dataPath)
  const postgres = await startEmbeddedPostgres(join(directory, 'postgres'), log)
  const db = createDb(createPool(postgres.connectionString, createLog({ level: 'error', readable: true })))
  const simulator = await startSimulator({ apiKey: API_KEY, apiSecret: API_SECRET, seed })
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  simulator.setWebhookUrls([`${url}/webhooks/livekit`])
  const environment = () => ({
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: postgres.connectionString,
    LIVEKIT_URL: simulator.url,
    LIVEKIT_API_KEY: API_KEY,
    LIVEKIT_API_SECRET: API_SECRET,
    REPLAY_DATA_PATH: dataPath,
    REPLAY_MIN_FREE_BYTES: hasDisk ? String(MIN_FREE_BYTES) : '0',
    REPLAY_CAPTURES_PER_MINUTE: '100000',
    PORT: String(port),
    ...env,
  })
  const errors = new Map<string, number>()
  let service: ChildProcess | undefined
  let stopping = false
  const startService = async () => {
    const started = await forkService(environment(), errors)
    started.on('exit', (code, signal) => {
      if (signal !== 'SIGKILL' && !stopping) onDeath(`the service ended by itself, with ${signal ?? code}`)
    })
    service = started
  }
  await startService()
  return {
    simulator,
    url,
    db,
    dataPath,
    errors,
    environment,
    pid: () => service?.pid,
    startService,
    killService: () => kill(service),
    stepClock: (offsetMs) => void service?.send({ offsetMs }, () => undefined),
    stopPostgres: () => controlPostgres(directory, ['stop', '-m', 'immediate']),
    startPostgres: () => controlPostgres(directory, ['restart']),
    fillDisk: async (leaveBytes) => hasDisk && fill(dataPath, leaveBytes),
    freeDisk: () => rm(join(dataPath, 'ballast'), { force: true }),
    async stop() {
      stopping = true
      if (service?.connected) service.send('stop')
      if (service && service.exitCode === null && service.signalCode === null) await once(service, 'exit')
      await simulator.stop()
      await db.destroy()
      await postgres.stop()
      if (hasDisk) await run('umount', ['-l', dataPath])
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function mountDisk(path: string): Promise<boolean> {
  return run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=755`, 'tmpfs', path]).then(
    () => true,
    () => false,
  )
}

async function forkService(env: Record<string, string>, errors: Map<string, number>): Promise<ChildProcess> {
  const asStarted = readNpmStart()
  const service = fork(new URL('service.ts', import.meta.url), {
    execArgv: asStarted.execArgv,
    env: { ...asStarted.env, ...env, LOG_LEVEL: env['LOG_LEVEL'] ?? 'error' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  if (service.stderr)
    createInterface({ input: service.stderr }).on('line', (line) => {
      if (process.env['SOAK_VERBOSE']) process.stderr.write(`${line}\n`)
      const message = messageOf(line)
      if (message !== undefined) errors.set(message, (errors.get(message) ?? 0) + 1)
    })
  const [first] = (await Promise.race([once(service, 'message'), once(service, 'exit')])) as unknown[]
  if (first !== 'started') throw new Error(`the service did not start: it ended with ${String(first)}`)
  return service
}

/** Of a line of the log at level error. graphile-worker says by itself, and in no form, that the database is away. */
function messageOf(line: string): string | undefined {
  if (!line.startsWith('{"')) return undefined
  const said = JSON.parse(line) as { level: string; message: string; error?: string }
  if (said.level !== 'error') return undefined
  return said.error === undefined ? said.message : `${said.message} (${said.error.replaceAll(/'[^']*'/g, '…')})`
}

async function kill(service: ChildProcess | undefined): Promise<void> {
  if (!service || service.exitCode !== null || service.signalCode !== null) return
  service.kill('SIGKILL')
  await once(service, 'exit')
}

/** With the same port as before, which is what `pg_ctl restart` is for. */
async function controlPostgres(directory: string, command: string[]): Promise<void> {
  const postgres = join(directory, 'postgres')
  const data = join(postgres, 'cluster')
  const program = (await readFile(join(data, 'postmaster.opts'), 'utf8')).split(' ')[0] ?? ''
  const user = await postgresUser(postgres)
  const wait = ['-D', data, '-w', '-t', '60', '-l', join(data, 'server.log')]
  await user.run(join(dirname(program), 'pg_ctl'), [...command, ...wait.slice(0, command[0] === 'stop' ? 5 : 7)])
}

/** A file that takes real blocks, whatever the file system makes of holes. */
async function fill(path: string, leaveBytes: number): Promise<boolean> {
  const ballast = join(path, 'ballast')
  const { bavail, bsize } = await statfs(path)
  const bytes = bavail * bsize - leaveBytes
  try {
    await writeFile(ballast, Buffer.alloc(Math.max(0, bytes), 1))
  } catch (error) {
    // Somebody else has taken the last of it.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  }
  return true
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await pause(0)
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port')
  return address.port
}
