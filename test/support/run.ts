import { startTestPostgres, stopTestPostgres } from './database.ts'

/** Whatever still holds the process open this long after the last test has leaked. */
const LEAK_LIMIT_MS = 5000

export async function mochaGlobalSetup(): Promise<void> {
  await startTestPostgres()
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stopTestPostgres()
  setTimeout(() => {
    process.stderr.write(`handles leaked: ${process.getActiveResourcesInfo().join(', ')}\n0 passed, 1 failed\n`)
    process.exit(1)
  }, LEAK_LIMIT_MS).unref()
}
