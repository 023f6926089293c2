import { once } from 'node:events'
import { watch } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getgid, getuid } from 'node:process'
import type { Config } from '../config.ts'
import { readVolume } from '../disk.ts'
import { within } from '../limit.ts'
import { isOurId } from '../own-id.ts'
import { fail, look, messageOf, ok, warn, type Finding } from './finding.ts'

type Paths = Pick<Config, 'bufferPath' | 'egressPath' | 'storagePath' | 'minFreeBytes' | 'watchPolling'>

/** The user of egress's image (contract section 2). */
const EGRESS = { uid: 1001, gid: 0 }

/** statfs's types of file systems that other machines write to without a word: NFS, SMB, CIFS, FUSE, Ceph, 9p. */
const SILENT_TYPES = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0x65735546, 'FUSE'],
  [0x00c36400, 'Ceph'],
  [0x01021997, '9p'],
])

const EVENT_LIMIT_MS = 3000

/** Room, rights and events where segments land and where clips rest. */
export async function checkDisk(config: Paths): Promise<Finding[]> {
  const { bufferPath, storagePath } = config
  const buffer = await checkWritable('buffer', bufferPath)
  const storage = await checkWritable('storage', storagePath)
  return [
    buffer,
    ...(buffer.state === 'ok' ? await lookIntoBuffer(config) : []),
    storage,
    ...(storage.state === 'ok'
      ? await look('storage space', () => checkSpace('storage', storagePath, config), 'see the disk')
      : []),
  ]
}

async function lookIntoBuffer(config: Paths): Promise<Finding[]> {
  const { bufferPath } = config
  return [
    ...(await look('buffer owner', () => checkOwner(config), 'see the disk')),
    ...(await look('buffer events', () => checkEvents(config), 'see the disk')),
    ...(await look('buffer space', () => checkSpace('buffer', bufferPath, config), 'see the disk')),
  ]
}

async function checkWritable(name: string, path: string): Promise<Finding> {
  try {
    await mkdir(path, { recursive: true })
    const probe = await mkdtemp(join(path, '.doctor-'))
    await writeFile(join(probe, 'probe'), 'probe')
    await rm(probe, { recursive: true })
    return ok(name, `${path} is ours to write and delete in (uid ${getuid?.()}, gid ${getgid?.()})`)
  } catch (error) {
    const todo = `mount it writable, for uid ${getuid?.()}; the container image runs as ${EGRESS.uid}:${EGRESS.gid}`
    return fail(name, `${path} cannot be written in: ${messageOf(error)}`, todo)
  }
}

/** What egress wrote shows who it is; before it wrote anything, its image's user is who will. */
async function checkOwner({ bufferPath, egressPath }: Paths): Promise<Finding[]> {
  const newest = (await readdir(bufferPath)).filter(isOurId).toSorted().at(-1)
  const ourUid = getuid?.() ?? 0
  if (newest !== undefined) {
    const { uid, gid } = await stat(join(bufferPath, newest))
    if (ourUid === 0 || ourUid === uid)
      return [ok('buffer owner', `egress writes as ${uid}:${gid}, which uid ${ourUid} may delete`)]
    const todo = `run this service as uid ${uid} (or as root): what egress wrote only its owner may delete`
    return [fail('buffer owner', `egress writes as ${uid}:${gid}, and we are uid ${ourUid}`, todo)]
  }
  const { uid, gid, mode } = await stat(bufferPath)
  const mayWrite =
    (uid === EGRESS.uid && (mode & 0o200) > 0) || (gid === EGRESS.gid && (mode & 0o020) > 0) || (mode & 0o002) > 0
  const found = `nothing was recorded yet; the directory is ${uid}:${gid}, mode ${(mode & 0o7777).toString(8)}`
  if (!mayWrite)
    return [
      warn(
        'buffer owner',
        `${found}: egress (${EGRESS.uid}:${EGRESS.gid}) may not write there`,
        `chown ${EGRESS.uid}:${EGRESS.gid} ${bufferPath}`,
      ),
    ]
  if (ourUid !== 0 && ourUid !== EGRESS.uid)
    return [
      warn(
        'buffer owner',
        `${found}; we are uid ${ourUid}`,
        `run this service as uid ${EGRESS.uid}, as egress does, or it cannot delete segments`,
      ),
    ]
  return [ok('buffer owner', `${found}; egress sees it as ${egressPath}`)]
}

async function checkEvents({ bufferPath, watchPolling }: Paths): Promise<Finding[]> {
  if (watchPolling) return [ok('buffer events', 'the buffer path is polled')]
  const name = SILENT_TYPES.get((await statfs(bufferPath)).type)
  const todo = 'set REPLAY_WATCH_POLLING=true'
  if (name) return [warn('buffer events', `the buffer is on ${name}, which says nothing of what others write`, todo)]
  const probe = await mkdtemp(join(bufferPath, '.doctor-'))
  const watcher = watch(probe)
  try {
    const seen = within(EVENT_LIMIT_MS, once(watcher, 'change'))
    await writeFile(join(probe, 'probe'), 'probe')
    await seen
    return [ok('buffer events', 'files that land are seen at once')]
  } catch {
    return [warn('buffer events', 'a file that was written was not told of', todo)]
  } finally {
    watcher.close()
    await rm(probe, { recursive: true })
  }
}

async function checkSpace(name: string, path: string, { minFreeBytes }: Paths): Promise<Finding[]> {
  const { freeBytes, sizeBytes } = await readVolume(path)
  const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`
  const found = `${gib(freeBytes)} of ${gib(sizeBytes)} are free, ${gib(minFreeBytes)} are kept free`
  const check = `${name} space`
  if (freeBytes < minFreeBytes)
    return [
      fail(check, found, 'captures are refused: delete clips, enlarge the volume, or lower REPLAY_MIN_FREE_BYTES'),
    ]
  if (freeBytes < 2 * minFreeBytes)
    return [warn(check, found, 'it will not last: see the sizing table in docs/sizing.md')]
  return [ok(check, found)]
}
