import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

/*
 * The page's files, as they lie in `src/console` and in the packages that it uses: nothing
 * is built. Browsers do not find packages by name, so those names become file names.
 */

export interface ConsoleFile {
  type: string
  /** Compressed: every browser takes gzip, over plain HTTP too. */
  gzip: Buffer
  etag: string
}

const FOLDER = new URL('../console/', import.meta.url)

/** What the page imports by name, and the file that it is served as. */
const PACKAGES: Record<string, { file: string; from: string }> = {
  preact: { file: 'preact.js', from: 'preact' },
  'preact/hooks': { file: 'preact-hooks.js', from: 'preact/hooks' },
  htm: { file: 'htm.js', from: 'htm' },
  // Without subtitles and other sound tracks, which no buffer has.
  'hls.js': { file: 'hls.js', from: 'hls.js/dist/hls.light.min.mjs' },
}

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

/** By name. */
export async function readConsole(): Promise<Map<string, ConsoleFile>> {
  const own = (await readdir(FOLDER)).filter((name) => typeOf(name) !== undefined)
  const sources = [
    ...own.map((name) => ({ name, url: new URL(name, FOLDER) })),
    ...Object.values(PACKAGES).map(({ file, from }) => ({ name: file, url: new URL(import.meta.resolve(from)) })),
  ]
  const files = sources.map(async ({ name, url }) => [name, await pack(name, await readFile(url, 'utf8'))] as const)
  return new Map(await Promise.all(files))
}

const typeOf = (name: string) => TYPES[name.replace(/.*\./, '')]

async function pack(name: string, text: string): Promise<ConsoleFile> {
  const type = typeOf(name)
  if (type === undefined) throw new Error(`${name} is no file of the page`)
  const bytes = await promisify(gzip)(name.endsWith('.js') ? withFileNames(text) : text, { level: 9 })
  return { type, gzip: bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` }
}

function withFileNames(source: string): string {
  return source
    .replaceAll(/\b(from\s*)(["'])([\w./]+)\2/g, (whole, from: string, quote: string, name: string) => {
      const known = PACKAGES[name]
      return known ? `${from}${quote}./${known.file}${quote}` : whole
    })
    .replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n')
}
