import type { Log, LogFields, LogLevel } from '../../src/log.ts'

const nothing = () => undefined

export const silentLog: Log = {
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  child: () => silentLog,
}

export interface LogLine extends LogFields {
  level: LogLevel
  message: string
}

/** A log whose lines a test can look at; `LOG_LEVEL=debug npm test` shows them as well. */
export function keepLog(): { log: Log; lines: LogLine[] } {
  const lines: LogLine[] = []
  const keep =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ ...fields, level, message })
      if (process.env['LOG_LEVEL'] === 'debug') process.stderr.write(`${level} ${message} ${JSON.stringify(fields)}\n`)
    }
  const log: Log = {
    error: keep('error'),
    warn: keep('warn'),
    info: keep('info'),
    debug: keep('debug'),
    child: () => log,
  }
  return { lines, log }
}
