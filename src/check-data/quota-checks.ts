import { sql } from 'kysely'
import type { Check } from './check.ts'

/** What each user has used and reserved, against what their clips and files say. */
export const quotaIsRight: Check = {
  name: "users' bytes are the sum of their files",
  async look({ db }) {
    const { rows } = await sql<Sum>`
      select coalesce(quota.user_id, clips.user_id) as user_id,
        coalesce(used_bytes, 0) as used_bytes, coalesce(reserved_bytes, 0) as reserved_bytes,
        coalesce(used, 0)::bigint as used, coalesce(reserved, 0)::bigint as reserved
      from user_quotas as quota full join (
        select user_id, sum(files.size_bytes) as used, sum(reserved_bytes) as reserved
        from replay_clips left join files on files.id = file_id group by user_id
      ) as clips using (user_id)`.execute(db)
    const wrong = rows.filter((row) => row.used !== row.used_bytes || row.reserved !== row.reserved_bytes)
    return {
      looked: rows.length,
      wrong: wrong.map(
        (row) =>
          `${row.user_id}: used ${row.used_bytes}, files ${row.used}; reserved ${row.reserved_bytes}, clips ${row.reserved}`,
      ),
      repair: async () => {
        for (const { user_id, used, reserved } of wrong)
          await sql`
            insert into user_quotas (user_id, used_bytes, reserved_bytes) values (${user_id}, ${used}, ${reserved})
            on conflict (user_id) do update set used_bytes = ${used}, reserved_bytes = ${reserved}`.execute(db)
        return wrong.length
      },
    }
  },
}

interface Sum {
  user_id: string
  used_bytes: number
  reserved_bytes: number
  used: number
  reserved: number
}
