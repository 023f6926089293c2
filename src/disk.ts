import { mkdir, statfs } from 'node:fs/promises'

/** The file system that `path` is on; the directory is made if need be. */
export async function readVolume(path: string): Promise<{ freeBytes: number; sizeBytes: number }> {
  await mkdir(path, { recursive: true })
  const { bavail, blocks, bsize } = await statfs(path)
  return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize }
}

/** Bytes that a process without privileges may still write where `path` is; the directory is made if need be. */
export async function freeBytes(path: string): Promise<number> {
  return (await readVolume(path)).freeBytes
}
