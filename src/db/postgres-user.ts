import { execFile } from 'node:child_process'
import { chown, cp, mkdir, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '../errors.ts'

const run = promisify(execFile)

/** Who the server runs as: ourselves, or, since Postgres refuses to be root, a user without rights. */
export interface PostgresUser {
  /** Gives a file or folder of ours to that user. */
  own(path: string): Promise<void>
  run(this: void, file: string, args: string[]): Promise<unknown>
}

/**
 * The user for a server whose files lie in `directory`, and who can reach them. Throws
 * `database_unavailable` if root started us and that user may not enter the directory.
 */
export async function postgresUser(directory: string): Promise<PostgresUser> {
  if (process.getuid?.() !== 0) return { own: async () => {}, run }
  const { uid, gid } = await unprivilegedUser()
  await chown(directory, uid, gid)
  const options = { uid, gid, cwd: '/' }
  const reaches = async (path: string) =>
    run('/bin/sh', ['-c', 'test -x "$0"', path], options).then(
      () => true,
      () => false,
    )
  if (!(await reaches(directory)))
    throw new AppError(
      'database_unavailable',
      `Postgres does not run as root, and user ${uid} may not enter ${directory}: ` +
        'set REPLAY_DATA_PATH to a folder outside of /root, or DATABASE_URL',
    )
  return {
    own: (path) => chown(path, uid, gid),
    run: async (file, args) => run((await reaches(file)) ? file : await reachableCopy(file), args, options),
  }
}

/** `postgres` where the machine has it, else `nobody`, which every one has. */
async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const found = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')
  if (!found) throw new AppError('database_unavailable', 'Postgres does not run as root: no other user was found')
  return { uid: Number(found[2]), gid: Number(found[3]) }
}

/** In a home that only root may enter (`/root`), the programs are copied to where the user can run them. */
async function reachableCopy(file: string): Promise<string> {
  const installation = dirname(dirname(file))
  const { version } = JSON.parse(await readFile(join(installation, '..', 'package.json'), 'utf8')) as {
    version: string
  }
  const copy = join(tmpdir(), `livekit-replay-postgres-${version}`)
  await mkdir(copy, { recursive: true, mode: 0o755 })
  const { uid } = await stat(copy)
  if (uid !== 0) throw new AppError('database_unavailable', `${copy} belongs to somebody else: remove it`)
  await cp(installation, copy, { recursive: true, force: false, verbatimSymlinks: true })
  return join(copy, 'bin', basename(file))
}
