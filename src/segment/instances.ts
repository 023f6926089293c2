import { hostname } from 'node:os'
import { sql } from 'kysely'
import type { Db } from '../db/connect.ts'
import { errorFields, type Log } from '../log.ts'
import type { Stop } from '../job/stop.ts'

/*
 * Who there is. Each instance says every few seconds where it can be asked for what lies
 * on its node's disk, and learns of the others.
 */

export interface Instances {
  /** Where an instance of another node answers, if one was seen in the last half minute. */
  urlOf(node: string): string | undefined
  /** No other node was seen: nothing can be elsewhere. */
  isAlone(): boolean
  stop: Stop
}

export interface InstanceDeps {
  db: Db
  log: Log
  node: string
}

const BEAT_MS = 5000
const SILENT_SECONDS = 30
const FORGOTTEN_DAYS = 7

/** Begins with one beat, so that who starts is known of at once. */
export async function joinInstances(deps: InstanceDeps, url: string): Promise<Instances> {
  let others = new Map<string, string>()
  let beating: Promise<void> | undefined
  const beat = async () => {
    await sayHere(deps, url)
    others = await listOthers(deps)
  }
  await beat()
  const timer = setInterval(() => {
    beating ??= beat()
      .catch((error: unknown) => deps.log.debug('instances not heard of', errorFields(error)))
      .finally(() => {
        beating = undefined
      })
  }, BEAT_MS)
  return {
    urlOf: (node) => others.get(node),
    isAlone: () => others.size === 0,
    async stop() {
      clearInterval(timer)
      await beating
      await deps.db.deleteFrom('instances').where('node', '=', deps.node).where('url', '=', url).execute()
    },
  }
}

async function sayHere({ db, node }: InstanceDeps, url: string): Promise<void> {
  await sql`
    insert into instances (node, url, seen_at) values (${node}, ${url}, now())
    on conflict (node, url) do update set seen_at = now()`.execute(db)
  await sql`delete from instances where seen_at < now() - make_interval(days => ${FORGOTTEN_DAYS})`.execute(db)
}

async function listOthers({ db, node }: InstanceDeps): Promise<Map<string, string>> {
  const { rows } = await sql<{ node: string; url: string }>`
    select node, url from instances
    where node <> ${node} and seen_at > now() - make_interval(secs => ${SILENT_SECONDS})
    order by seen_at`.execute(db)
  return new Map(rows.map((row) => [row.node, row.url]))
}

/** Where the others reach this instance, unless it is told: by the address it listens on, or by its host's name. */
export function ownUrl(url: string, host: string): string {
  const isAnywhere = host === '0.0.0.0' || host === '::'
  return isAnywhere ? `http://${hostname()}:${new URL(url).port}` : url
}
