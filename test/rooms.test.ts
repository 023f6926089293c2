import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { expect } from 'chai'

/*
 * What each room of `src` may import. The floor imports nothing above it; a recording's
 * journey goes one way.
 */

const SRC = new URL('../src/', import.meta.url).pathname
const FLOOR = ['floor', 'db', 'job', 'livekit', 'media']

const MAY_IMPORT: Record<string, string[]> = {
  floor: ['floor'],
  db: ['floor', 'db'],
  job: ['floor', 'db', 'job'],
  livekit: ['floor', 'livekit'],
  media: ['media'],
  session: [...FLOOR, 'session'],
  clip: [...FLOOR, 'clip'],
  notify: [...FLOOR, 'session', 'clip', 'notify'],
  webhook: [...FLOOR, 'session', 'webhook'],
  segment: [...FLOOR, 'session', 'segment'],
  'check-data': [...FLOOR, 'segment', 'session', 'clip', 'check-data'],
  capture: [...FLOOR, 'segment', 'session', 'clip', 'capture'],
  operate: [...FLOOR, 'session', 'segment', 'operate'],
  http: [...FLOOR, 'operate', 'session', 'clip', 'webhook', 'segment', 'capture', 'notify', 'http'],
  doctor: [...FLOOR, 'operate', 'doctor'],
  console: ['console'],
}

/** What the service serves beside the page. */
const BROWSER_PACKAGES = new Set(['preact', 'preact/hooks', 'htm', 'hls.js'])

/** Those that see everything: the wiring, the entry points, and what operators run. */
const OPEN = new Set(['service.ts', 'main.ts', 'check-data.ts', 'doctor.ts'])
const OPEN_ROOMS = new Set(['service', 'simulator'])

interface Import {
  from: string
  to: string
  isOurs: boolean
  names: string
}

async function listImports(): Promise<Import[]> {
  const files = (await readdir(SRC, { recursive: true })).filter((name) => /\.[jt]s$/.test(name))
  const found = await Promise.all(
    files.map(async (from) => {
      const text = await readFile(join(SRC, from), 'utf8')
      return [...text.matchAll(/^import (?:type )?([^'"]*?)(?:from )?'([^']+)'/gm)].map(([, names = '', to = '']) => ({
        from,
        names,
        isOurs: to.startsWith('.'),
        to: to.startsWith('.') ? relative(SRC, resolve(SRC, dirname(from), to)) : to,
      }))
    }),
  )
  return found.flat()
}

const roomOf = (path: string) => (path.includes('/') ? (path.split('/')[0] ?? '') : 'floor')

describe('the rooms of the code', () => {
  let imports: Import[]
  before(async () => {
    imports = await listImports()
  })

  it('import only what is below them', () => {
    const wrong = imports.filter(({ from, to, isOurs }) => {
      const room = roomOf(from)
      if (OPEN.has(from) || OPEN_ROOMS.has(room) || !isOurs) return false
      return !MAY_IMPORT[room]?.includes(roomOf(to)) || OPEN.has(to)
    })
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).to.deep.equal([])
  })

  it('leave the LiveKit SDK to livekit/ and to the simulator', () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        /^(livekit-server-sdk|@livekit\/protocol)$/.test(to) && !['livekit', 'simulator'].includes(roomOf(from)),
    )
    expect(wrong.map(({ from }) => from)).to.deep.equal([])
  })

  it('give the page nothing but what a browser can load', () => {
    const wrong = imports.filter(
      ({ from, to, isOurs }) => roomOf(from) === 'console' && !isOurs && !BROWSER_PACKAGES.has(to),
    )
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).to.deep.equal([])
  })

  it('leave prom-client to what counts', () => {
    const users = imports.filter(({ to }) => to === 'prom-client').map(({ from }) => from)
    expect(users.toSorted()).to.deep.equal(['metrics-figures.ts', 'metrics.ts'])
  })

  it('leave the simulator to itself', () => {
    const wrong = imports.filter(({ from, to }) => roomOf(to) === 'simulator' && roomOf(from) !== 'simulator')
    expect(wrong.map(({ from }) => from)).to.deep.equal([])
  })

  it('read through repositories from http/, and write through use cases', () => {
    const wrong = imports
      .filter(({ from, to }) => roomOf(from) === 'http' && to.endsWith('.repo.ts'))
      .flatMap(({ from, names }) =>
        [...names.matchAll(/\b(?!type\b)([a-z]\w+)/g)]
          .map(([, name = '']) => name)
          .filter((name) => !/^(find|list)[A-Z]/.test(name))
          .map((name) => `${from}: ${name}`),
      )
    expect(wrong).to.deep.equal([])
  })

  it('say process only where a program begins', async () => {
    const files = (await readdir(SRC, { recursive: true })).filter((name) => name.endsWith('.ts'))
    const wrong: string[] = []
    for (const file of files) {
      const text = await readFile(join(SRC, file), 'utf8')
      if (/\bprocess\.(env|exit|argv|on)\b/.test(text)) wrong.push(file)
    }
    expect(wrong.filter((file) => !OPEN.has(file) && roomOf(file) !== 'simulator')).to.deep.equal([])
  })
})
