import { clipsComeToRest, clipsHaveFiles, filesHaveClips, pinnedAreThere, pinsAreNeeded } from './clip-checks.ts'
import type { Check, CheckDeps, Finding } from './check.ts'
import { quotaIsRight } from './quota-checks.ts'
import {
  directoriesHaveSessions,
  filesHaveRows,
  purgedAreGone,
  rowsHaveFiles,
  segmentsHaveFrames,
} from './segment-checks.ts'
import { storageHasClips } from './storage-checks.ts'

/** In the order in which a repair of one makes the next one right. */
const CHECKS: Check[] = [
  rowsHaveFiles,
  filesHaveRows,
  segmentsHaveFrames,
  purgedAreGone,
  directoriesHaveSessions,
  pinsAreNeeded,
  pinnedAreThere,
  clipsComeToRest,
  clipsHaveFiles,
  filesHaveClips,
  storageHasClips,
  quotaIsRight,
]

export interface CheckOptions {
  repair: boolean
  force: boolean
  /** Told of each check as it is done, in lines for a person. */
  say: (line: string) => void
}

const SHOWN = 5

/** Looks at everything, repairs if asked to. Returns how many things are wrong in the end. */
export async function runChecks(deps: CheckDeps, options: CheckOptions): Promise<number> {
  let left = 0
  options.say(
    `${'what must be so'.padEnd(52)}${'looked at'.padStart(10)}${'wrong'.padStart(8)}${'repaired'.padStart(10)}`,
  )
  for (const check of CHECKS) {
    const finding = await check.look(deps)
    const repaired = options.repair ? await repair(finding, options) : 0
    const numbers = [finding.looked, finding.wrong.length, repaired]
    const columns = numbers.map((number, i) => String(number).padStart([10, 8, 10][i] ?? 0))
    options.say(check.name.padEnd(52) + columns.join(''))
    for (const one of finding.wrong.slice(0, SHOWN)) options.say(`    ${one}`)
    if (finding.wrong.length > SHOWN) options.say(`    and ${finding.wrong.length - SHOWN} more`)
    left += finding.wrong.length - repaired
  }
  return left
}

/** What would delete more than half of something is more likely a disk that is not mounted than a fault in the data. */
async function repair(finding: Finding, { force, say }: CheckOptions): Promise<number> {
  const { wrong, looked } = finding
  if (wrong.length === 0 || !finding.repair) return 0
  if (finding.removes && wrong.length * 2 > looked && !force) {
    say(`    not repaired: ${wrong.length} of ${looked} would be deleted (--force does it all the same)`)
    return 0
  }
  return finding.repair()
}
