import { sql, type RawBuilder } from 'kysely'
import type { Db, Trx } from '../db/connect.ts'
import { AppError } from '../errors.ts'

/*
 * A user's bytes: `used` is the sum of the files, `reserved` the sum of what clips on
 * their way to a file will need. Both change only here, in the transaction that changes
 * the clip or the file.
 */

export interface Quota {
  usedBytes: number
  limitBytes: number
  remainingBytes: number
}

export async function findQuota(db: Db, userId: string, defaultLimit: number): Promise<Quota> {
  const row = await db.selectFrom('user_quotas').selectAll().where('user_id', '=', userId).executeTakeFirst()
  const usedBytes = (row?.used_bytes ?? 0) + (row?.reserved_bytes ?? 0)
  const limitBytes = row?.limit_bytes ?? defaultLimit
  return { usedBytes, limitBytes, remainingBytes: Math.max(0, limitBytes - usedBytes) }
}

/** Reserves room for a clip to come, atomically. Throws `quota_exceeded`, with the numbers. */
export async function reserveQuota(trx: Trx, userId: string, bytes: number, defaultLimit: number): Promise<void> {
  if (await takeRoom(trx, userId, bytes, defaultLimit)) return
  await trx
    .insertInto('user_quotas')
    .values({ user_id: userId, limit_bytes: null })
    .onConflict((oc) => oc.column('user_id').doNothing())
    .execute()
  if (await takeRoom(trx, userId, bytes, defaultLimit)) return
  const { usedBytes, limitBytes } = await findQuota(trx, userId, defaultLimit)
  const details = { usedBytes, limitBytes, neededBytes: bytes }
  throw new AppError('quota_exceeded', 'this clip does not fit into what is left of the quota', { details })
}

/** False when there is not so much left, or the user has no row yet. */
async function takeRoom(trx: Trx, userId: string, bytes: number, defaultLimit: number): Promise<boolean> {
  const { rows } = await takingRoom(userId, bytes, defaultLimit, sql`true`).execute(trx)
  return rows.length === 1
}

/** The statement that reserves, if there is so much left, and returns a row if so; as a part of another, when that says so. */
export function takingRoom(
  userId: string,
  bytes: number,
  defaultLimit: number,
  when: RawBuilder<unknown>,
): RawBuilder<{ user_id: string }> {
  return sql`
    update user_quotas set reserved_bytes = reserved_bytes + ${bytes}
    where user_id = ${userId} and used_bytes + reserved_bytes + ${bytes} <= coalesce(limit_bytes, ${defaultLimit})
      and ${when}
    returning user_id`
}

/** Changes what is reserved, when a clip's size becomes known (`bytes` is the difference) or it will not need it. */
export async function changeReserved(trx: Trx, userId: string, bytes: number): Promise<void> {
  await trx
    .updateTable('user_quotas')
    .set({ reserved_bytes: sql<number>`reserved_bytes + ${bytes}` })
    .where('user_id', '=', userId)
    .execute()
}

/** A file came (positive) or went (negative). */
export async function changeUsed(trx: Trx, userId: string, bytes: number): Promise<void> {
  await trx
    .updateTable('user_quotas')
    .set({ used_bytes: sql<number>`used_bytes + ${bytes}` })
    .where('user_id', '=', userId)
    .execute()
}
