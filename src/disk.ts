import { mkdir, statfs } from 'node:fs/promises'

/** Bytes that a process without privileges may still write where `path` is; the directory is made if need be. */
export async function freeBytes(path: string): Promise<number> {
  await mkdir(path, { recursive: true })
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}
