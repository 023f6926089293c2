import { readFileSync } from 'node:fs'

export interface NpmStart {
  execArgv: string[]
  env: Record<string, string>
}

/** How `npm start` starts node, for processes that are measured as the service: `NAME=value … node option … src/main.ts`. */
export function readNpmStart(): NpmStart {
  const root = new URL('../', import.meta.url)
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { scripts: { start: string } }
  const words = scripts.start.split(' ')
  const node = words.indexOf('node')
  const env = words.slice(0, node).map((word) => word.split('=') as [string, string])
  const options = words.slice(node + 1, -1)
  const execArgv = options.map((word) => (word.startsWith('./') ? new URL(word, root).href : word))
  return { execArgv, env: Object.fromEntries(env) }
}
