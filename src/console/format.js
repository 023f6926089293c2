/** `1:05`, or `1:02:05`. @param {number} ms */
export function length(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const [first = 0, ...rest] = parts[0] === 0 ? parts.slice(1) : parts
  return [first, ...rest.map((part) => String(part).padStart(2, '0'))].join(':')
}

const TIME = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' })

/** A time of day, with seconds. @param {number} ms */
export const clockTime = (ms) => TIME.format(ms)

/** A time of day. @param {number} ms */
export const minuteTime = (ms) => MINUTE.format(ms)

/** @param {number} ms */
export const day = (ms) => DAY.format(ms)

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** @param {number} count */
export function bytes(count) {
  const power = count < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(count) / 3))
  const value = count / 1000 ** power
  return `${value.toFixed(value < 10 && power > 0 ? 1 : 0)} ${UNITS[power]}`
}
