import { setTimeout as delay } from 'node:timers/promises'
import { startTestPostgres, stopTestPostgres } from './database.ts'
import { COMPILE_CACHE } from './process.ts'

/** Whatever still holds the process open this long after a file's last test has leaked. */
const LEAK_LIMIT_MS = 5000

/**
 * Once for the whole run; test files run side by side, in processes that inherit where the Postgres is, and where what
 * node made of a source is kept: dozens of processes of the service are started.
 */
export async function mochaGlobalSetup(): Promise<void> {
  process.env['NODE_COMPILE_CACHE'] ??= COMPILE_CACHE
  await startTestPostgres()
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stopTestPostgres()
}

let before: string[] = []

/** Around each test file. Mocha's own timer of a hook runs, in either, from its first await on. */
export const mochaHooks = {
  async beforeAll(): Promise<void> {
    await delay(0)
    before = process.getActiveResourcesInfo()
  },
  async afterAll(): Promise<void> {
    const startedAt = performance.now()
    while (leaked().length > 0) {
      if (performance.now() - startedAt > LEAK_LIMIT_MS) throw new Error(`handles leaked: ${leaked().join(', ')}`)
      await delay(10, undefined, { ref: false })
    }
  },
}

/** What holds the process open now, and did not when the file began. */
function leaked(): string[] {
  const known = [...before]
  return process.getActiveResourcesInfo().filter((type) => {
    const index = known.indexOf(type)
    if (index >= 0) known.splice(index, 1)
    return index < 0
  })
}
