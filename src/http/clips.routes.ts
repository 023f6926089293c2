import { Router, type Request } from 'express'
import { z } from 'zod'
import { findClip, listClips, type ClipWithFile } from '../clip/clip.repo.ts'
import { deleteClip, type DeleteDeps } from '../clip/delete-clip.ts'
import { findQuota } from '../clip/quota.ts'
import { renameClip } from '../clip/rename-clip.ts'
import type { Config } from '../config.ts'
import type { Db } from '../db/connect.ts'
import { AppError } from '../errors.ts'
import { isOurId } from '../own-id.ts'
import { actingUser, assertOwnsClip, callerOf } from './access.ts'
import { formatCursor, parseCursor } from './cursor.ts'
import { communityName, titleText, userName, wholeNumber } from './inputs.ts'
import type { Presenter } from './present.ts'

export interface ClipRoutesDeps extends DeleteDeps {
  config: Pick<Config, 'quotaBytes'>
  presenterFor: (req: Request) => Presenter
}

export const patchBody = z.strictObject({ title: titleText.nullable() })
export const userQuery = z.object({ userId: userName.optional().describe('whose: backends only') })
export const clipListQuery = userQuery.extend({
  limit: wholeNumber(1, 100).default(20),
  offset: wholeNumber(0, 1_000_000).default(0),
  cursor: z
    .string()
    .regex(/^[\w-]{1,200}$/, 'the nextCursor of the page before')
    .optional()
    .describe('`nextCursor` of the page before: stable while clips come and go, instead of `offset`'),
  communityId: communityName.optional(),
  title: titleText.optional().describe('only clips with this in their title, in capitals or not'),
})

/** A user's clips. */
export function clipRoutes(deps: ClipRoutesDeps): Router {
  const router = Router()

  router.get('/clips', async (req, res) => {
    const { userId: named, communityId, title, limit, offset, cursor } = clipListQuery.parse(req.query)
    const userId = actingUser(callerOf(res), named)
    if (cursor !== undefined && offset > 0) throw new AppError('invalid_request', 'cursor: without offset')
    const after = cursor === undefined ? undefined : parseCursor(cursor)
    const { clips, total, hasMore } = await listClips(deps.db, { userId, communityId, title, limit, offset, after })
    const last = clips.at(-1)
    const nextCursor = hasMore && last ? formatCursor(last) : null
    res.json({ clips: clips.map(deps.presenterFor(req).clip), total, hasMore, nextCursor })
  })

  router.get('/clips/:id', async (req, res) => {
    const clip = await requireClip(deps.db, req.params.id)
    assertOwnsClip(callerOf(res), clip)
    res.json(deps.presenterFor(req).clip(clip))
  })

  router.patch('/clips/:id', async (req, res) => {
    const clip = await requireClip(deps.db, req.params.id)
    assertOwnsClip(callerOf(res), clip)
    await renameClip(deps.db, clip.id, patchBody.parse(req.body).title)
    res.json(deps.presenterFor(req).clip(await requireClip(deps.db, clip.id)))
  })

  router.delete('/clips/:id', async (req, res) => {
    const clip = await requireClip(deps.db, req.params.id)
    assertOwnsClip(callerOf(res), clip)
    const { freedBytes } = await deleteClip(deps, clip.id)
    const { remainingBytes } = await findQuota(deps.db, clip.user_id, deps.config.quotaBytes)
    res.json({ freedBytes, remainingQuotaBytes: remainingBytes })
  })

  router.get('/quota', async (req, res) => {
    const { userId } = userQuery.parse(req.query)
    res.json(await findQuota(deps.db, actingUser(callerOf(res), userId), deps.config.quotaBytes))
  })

  return router
}

/** Throws `not_found`. */
export async function requireClip(db: Db, id: string): Promise<ClipWithFile> {
  const clip = isOurId(id) ? await findClip(db, id) : undefined
  if (!clip) throw new AppError('not_found', 'there is no such clip')
  return clip
}
