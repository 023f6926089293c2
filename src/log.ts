import type { Writable } from 'node:stream'
import winston from 'winston'

export type LogFields = Record<string, unknown>

/** One line a fact: a constant message in the past tense, everything that varies as a field. */
export interface Log {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  /** The log of one part of the program: its lines say which, and it may have a level of its own. */
  child(module: LogModule): Log
}

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** The rooms of the code that say something. */
export const LOG_MODULES = ['webhook', 'session', 'segment', 'capture', 'notify', 'http', 'job', 'db'] as const
export type LogModule = (typeof LOG_MODULES)[number]

export interface LogLevels {
  level: LogLevel
  /** Of those that differ from the rest. */
  modules?: Partial<Record<LogModule, LogLevel>>
}

const SECRET_KEY = /token|secret|password|authorization|signing/i

/**
 * A log of JSON lines, or readable ones for a terminal. Values are encoded as JSON
 * in both, so nothing from outside can start a line of its own; fields whose name
 * speaks of a secret are withheld.
 */
export function createLog(options: LogLevels & { readable: boolean; output?: Writable }): Log {
  const shape = options.readable ? winston.format.printf(readableLine) : winston.format.json()
  const format = winston.format.combine(winston.format.timestamp(), winston.format(withhold)(), shape)
  const logger = winston.createLogger({
    level: 'debug',
    format,
    transports: [new winston.transports.Stream({ stream: options.output ?? process.stderr })],
  })
  return logOf(logger, options, undefined)
}

/** What is below the level costs no more than a call. */
function logOf(logger: winston.Logger, levels: LogLevels, module: LogModule | undefined): Log {
  const own = module === undefined ? undefined : levels.modules?.[module]
  const least = LOG_LEVELS.indexOf(own ?? levels.level)
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (LOG_LEVELS.indexOf(level) > least) return
    logger.log(level, message, module === undefined ? fields : { module, ...fields })
  }
  const child = (name: LogModule) => logOf(logger, levels, name)
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), child }
}

/** What a log line may say of an error: name, message, stack, and what caused it. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) }
  const cause = error.cause === undefined ? {} : { cause: errorFields(error.cause) }
  return { error: error.message, stack: error.stack, ...cause }
}

function withhold(info: winston.Logform.TransformableInfo): winston.Logform.TransformableInfo {
  for (const key of Object.keys(info)) if (SECRET_KEY.test(key)) info[key] = '[withheld]'
  return info
}

function readableLine(info: winston.Logform.TransformableInfo): string {
  const { timestamp, level, message, stack, ...fields } = info
  const clock = String(timestamp).slice(11, 23)
  const shown = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`)
  const frames = typeof stack === 'string' && level === 'error' ? stack.split('\n').slice(1) : []
  const trace = frames
    .filter((frame) => !frame.includes('node_modules'))
    .map((frame) => `\n${frame}`)
    .join('')
  return `${clock} ${level.padEnd(5)} ${String(message)}${shown.join('')}${trace}`
}
