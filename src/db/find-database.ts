import { join } from 'node:path'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { findRunningPostgres, startEmbeddedPostgres, type EmbeddedPostgres } from './embedded.ts'

/** The service's database, for who only looks: an embedded one is a running service's, or is started for as long as this takes. */
export async function findDatabase(
  config: Pick<Config, 'databaseUrl' | 'dataPath'>,
  log: Log,
): Promise<EmbeddedPostgres> {
  const stop = async () => undefined
  if (config.databaseUrl) return { connectionString: config.databaseUrl, stop }
  const directory = join(config.dataPath, 'postgres')
  const running = await findRunningPostgres(directory)
  return running ? { connectionString: running, stop } : startEmbeddedPostgres(directory, log)
}
