import { Router } from 'express'
import { readVersion } from '../version.ts'
import { renderDocs } from './docs-page.ts'
import { createOpenApi } from './openapi.ts'

/** What the API is, for programs and for people. Made when it is first asked for. */
export function docsRoutes(): Router {
  const router = Router()
  let made: { json: Record<string, unknown>; html: string } | undefined
  const document = () => {
    const json = made?.json ?? createOpenApi(readVersion())
    made ??= { json, html: renderDocs(json) }
    return made
  }

  router.get('/openapi.json', (_req, res) => {
    res.set('Cache-Control', 'no-cache').json(document().json)
  })
  router.get('/docs', (_req, res) => {
    res.set('Cache-Control', 'no-cache').type('html').send(document().html)
  })
  return router
}
