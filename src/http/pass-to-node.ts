import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Request, RequestHandler, Response } from 'express'
import { findClip } from '../clip/clip.repo.ts'
import type { Db } from '../db/connect.ts'
import { AppError } from '../errors.ts'
import type { Instances } from '../segment/instances.ts'
import { isOurId } from '../own-id.ts'
import { findSession } from '../session/session.repo.ts'

/*
 * Segments, and the clips made of them, lie on the disk of one node. Whoever is asked for
 * them elsewhere passes the request on, once, and the answer back. The node that has them
 * checks who asks.
 */

export interface PassDeps {
  db: Db
  node: string
  storagePath: string
  instances: Pick<Instances, 'urlOf' | 'isAlone'>
}

const OF_SESSION = /^\/sessions\/([^/]+)\/(segment-[^/]+|poster\.jpg)$/
const OF_CLIP = /^\/clips\/([^/]+)\/(file\.mp4|playlist\.m3u8|init\.mp4|fragment-[^/]+|poster\.jpg)$/
const CLIP = /^\/clips\/([^/]+)$/

/** Says that a request was passed on already: no two instances send it to and fro. */
const PASSED = 'x-replay-passed'

const REQUEST_HEADERS = ['authorization', 'range', 'if-range', 'if-none-match', 'origin', 'user-agent']
const ANSWER_HEADERS = [
  'content-type',
  'content-length',
  'content-range',
  'content-disposition',
  'accept-ranges',
  'etag',
  'cache-control',
  'www-authenticate',
  'retry-after',
  'allow',
]

/** Before every route that needs files. */
export function passToNode(deps: PassDeps): RequestHandler {
  return async (req, res, next) => {
    const mayPass = req.get(PASSED) === undefined && !deps.instances.isAlone()
    const node = mayPass ? await findNode(deps, req) : undefined
    const url = node === undefined || node === deps.node ? undefined : deps.instances.urlOf(node)
    if (url === undefined) next()
    else await pass(req, res, `${url}${req.originalUrl}`, deps.node)
  }
}

/** Whose files a request needs. Undefined when it needs none, or they are here. */
async function findNode(deps: PassDeps, req: Request): Promise<string | undefined> {
  const sessionId = OF_SESSION.exec(req.path)?.[1]
  if (sessionId && isOurId(sessionId)) return (await findSession(deps.db, sessionId))?.node ?? undefined
  const clipId = (req.method === 'DELETE' ? CLIP : OF_CLIP).exec(req.path)?.[1]
  const clip = clipId && isOurId(clipId) ? await findClip(deps.db, clipId) : undefined
  if (!clip) return undefined
  // A storage that nodes share has every clip at rest, whoever wrote it.
  if (clip.file_path && (await exists(join(deps.storagePath, clip.file_path)))) return undefined
  return (await findSession(deps.db, clip.session_id))?.node ?? undefined
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function pass(req: Request, res: Response, url: string, node: string): Promise<void> {
  const left = new AbortController()
  res.once('close', () => left.abort())
  const answer = await fetch(url, {
    method: req.method,
    headers: { ...pick(REQUEST_HEADERS, (name) => req.get(name)), [PASSED]: node },
    redirect: 'manual',
    signal: left.signal,
  }).catch((cause: unknown) => {
    throw new AppError('node_unavailable', 'the node that has these files does not answer', { cause })
  })
  res.status(answer.status).set(pick(ANSWER_HEADERS, (name) => answer.headers.get(name) ?? undefined))
  if (!answer.body) {
    res.end()
    return
  }
  await pipeline(Readable.fromWeb(answer.body), res).catch((error: unknown) => {
    // A viewer who leaves ends both.
    if (!left.signal.aborted) throw error
  })
}

function pick(names: string[], get: (name: string) => string | undefined): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = get(name)
      return value === undefined ? [] : [[name, value]]
    }),
  )
}
