import { Router, type Request, type Response } from 'express'
import { AppError } from '../errors.ts'
import { readConsole, type ConsoleFile } from './console-files.ts'

/**
 * Only what this service serves, and what the player makes of it in memory. Nothing is
 * upgraded to HTTPS: the page works on a plain address of a local network too.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ')

/** The page at `/`. Its files are read and compressed when they are first asked for. */
export function consoleRoutes(): Router {
  const router = Router()
  let reading: Promise<Map<string, ConsoleFile>> | undefined
  const serve = async (req: Request, res: Response, name: string) => {
    const file = (await (reading ??= readConsole())).get(name)
    if (!file) throw new AppError('not_found', 'the page has no such file')
    send(req, res, file)
  }

  router.get('/', (req, res) => serve(req, res, 'index.html'))
  router.get('/console/:file', (req, res) => serve(req, res, req.params.file))
  return router
}

/** Browsers ask every time whether it is still the same: an update is seen at once, and whole. */
function send(req: Request, res: Response, { type, gzip, etag }: ConsoleFile): void {
  res.set({ 'Content-Security-Policy': POLICY, 'Cache-Control': 'no-cache', ETag: etag })
  if (req.get('if-none-match') === etag) res.status(304).end()
  else res.set({ 'Content-Type': type, 'Content-Encoding': 'gzip', 'Referrer-Policy': 'no-referrer' }).send(gzip)
}
