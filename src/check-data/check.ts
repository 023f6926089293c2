import type { Db } from '../db/connect.ts'
import type { Now } from '../clock.ts'
import type { Log } from '../log.ts'

export interface CheckDeps {
  db: Db
  now: Now
  log: Log
  bufferPath: string
  storagePath: string
  node: string
}

/** What one look found. */
export interface Finding {
  /** How many were looked at. */
  looked: number
  /** Each that is wrong, in a few words. */
  wrong: string[]
  /** Puts right what can be. Absent where a person must decide. Returns how many it did. */
  repair?: () => Promise<number>
  /** The repair deletes something: not of more than half of all, unless forced. */
  removes?: boolean
}

/** One thing that must be so, and how to see whether it is. */
export interface Check {
  name: string
  look(deps: CheckDeps): Promise<Finding>
}
