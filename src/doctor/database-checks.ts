import { once } from 'node:events'
import pg from 'pg'
import { within } from '../limit.ts'
import { fail, look, ok, warn, type Finding } from './finding.ts'

const OLDEST = 15
const LIMIT_MS = 3000
/** One pool of 20, and three connections of their own (connect.ts, listen.ts, worker-lock.ts). */
const CONNECTIONS = 23
const MOST_SKEW_MS = 2000

/** Version, rights, what is asked of a connection, and what is in it. */
export async function checkDatabase(connectionString: string): Promise<Finding[]> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: LIMIT_MS, query_timeout: LIMIT_MS })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return [
      ...(await look('database version', () => checkVersion(client), 'see the database')),
      ...(await look('database rights', () => checkRights(client), 'see the database')),
      ...(await look('database notices', () => checkNotify(client, connectionString), 'see the database')),
      ...(await look('database connections', () => checkConnections(client), 'see the database')),
      ...(await look('database clock', () => checkClock(client), 'see the database')),
    ]
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function checkVersion(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ version: string; number: string }>(
    `select current_setting('server_version') as version, current_setting('server_version_num') as number`,
  )
  const { version = '', number = '0' } = rows[0] ?? {}
  const isNew = Number(number) >= OLDEST * 10_000
  const found = `Postgres ${version}`
  return [isNew ? ok('database version', found) : fail('database version', found, `it must be ${OLDEST} or newer`)]
}

/** Migrations make tables in the current schema, and graphile-worker a schema of its own. */
async function checkRights(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ user: string; tables: boolean; schemas: boolean; worker: boolean }>(`
    select current_user as user, has_schema_privilege(current_schema(), 'create') as tables,
      has_database_privilege(current_database(), 'create') as schemas, to_regnamespace('graphile_worker') is not null as worker`)
  const { user = '', tables = false, schemas = false, worker = false } = rows[0] ?? {}
  const missing = [
    ...(tables ? [] : [`grant create on schema public to "${user}"`]),
    ...(schemas || worker ? [] : [`grant create on database <name> to "${user}"`]),
  ]
  if (missing.length > 0) return [fail('database rights', `${user} may not create what it needs`, missing.join('; '))]
  return [ok('database rights', `${user} may create what it needs`)]
}

/** A pooler that hands out a connection for each transaction swallows LISTEN. */
async function checkNotify(client: pg.Client, connectionString: string): Promise<Finding[]> {
  const teller = new pg.Client({ connectionString, connectionTimeoutMillis: LIMIT_MS })
  teller.on('error', () => undefined)
  await teller.connect()
  try {
    await client.query('listen replay_doctor')
    const heard = within(LIMIT_MS, once(client, 'notification')).then(
      () => true,
      () => false,
    )
    await teller.query('notify replay_doctor')
    if (await heard) return [ok('database notices', 'LISTEN and NOTIFY work')]
    return [
      fail(
        'database notices',
        'NOTIFY is not heard',
        'connect directly, or through a pooler that pools sessions, not transactions',
      ),
    ]
  } finally {
    await teller.end().catch(() => undefined)
  }
}

async function checkConnections(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ most: number; used: number }>(
    `select current_setting('max_connections')::int as most, (select count(*)::int from pg_stat_activity) as used`,
  )
  const { most = 0, used = 0 } = rows[0] ?? {}
  const found = `${used} of ${most} connections are used`
  if (most - used >= CONNECTIONS) return [ok('database connections', found)]
  return [warn('database connections', found, `each instance takes up to ${CONNECTIONS}: raise max_connections`)]
}

async function checkClock(client: pg.Client): Promise<Finding[]> {
  const before = Date.now()
  const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now')
  const skewMs = (rows[0]?.now.getTime() ?? 0) - (before + Date.now()) / 2
  const found = `its clock is ${Math.abs(skewMs / 1000).toFixed(1)} s from ours`
  if (Math.abs(skewMs) <= MOST_SKEW_MS) return [ok('database clock', found)]
  return [warn('database clock', found, 'run NTP on both: deadlines of jobs are by its clock')]
}
