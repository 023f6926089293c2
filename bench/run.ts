import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** `npm run bench [-- part …]`: every bench, or the parts named, one after the other. */
const PARTS = ['capture', 'landing', 'webhooks', 'range-query']

const wanted = process.argv.slice(2)
const unknown = wanted.filter((part) => !PARTS.includes(part))
if (unknown.length > 0) {
  process.stderr.write(`no such part: ${unknown.join(', ')}; there are ${PARTS.join(', ')}\n`)
  process.exit(2)
}
for (const part of wanted.length > 0 ? wanted : PARTS) {
  process.stdout.write(`\n${part}\n\n`)
  const child = spawn(process.execPath, [new URL(`${part}.ts`, import.meta.url).pathname], { stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) process.exitCode = 1
}
