import type { Express, Router } from 'express'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { expect } from 'chai'
import { createApp, type AppDeps } from '../../src/http/app.ts'
import { createOpenApi } from '../../src/http/openapi.ts'
import { OPERATIONS } from '../../src/http/operations.ts'
import type { Operation } from '../../src/http/operation.ts'
import { parseConfig } from '../../src/config.ts'
import { silentLog } from '../support/log.ts'
import { API_KEY, API_SECRET, type Answer } from '../support/service.ts'

/*
 * The API as express has it, and as it is described.
 */

interface Layer {
  route?: { path: string; methods: Record<string, boolean> }
  handle: { stack?: Layer[] }
  match(path: string): boolean
}

const PREFIXES = ['/v1', '/webhooks']

/** Every route of the app, as `GET /v1/clips/{id}`: what express will answer, whatever anybody wrote about it. */
export function listRoutes(): string[] {
  const livekit = { LIVEKIT_URL: 'ws://localhost', LIVEKIT_API_KEY: API_KEY, LIVEKIT_API_SECRET: API_SECRET }
  const deps = { config: parseConfig(livekit), log: silentLog, now: () => new Date() }
  const app: Express = createApp(deps as unknown as AppDeps)
  return routesIn(app.router, '').toSorted()
}

function routesIn(router: Router, prefix: string): string[] {
  return (router as unknown as { stack: Layer[] }).stack.flatMap((layer) => {
    if (layer.route) {
      const path = `${prefix}${layer.route.path}`.replaceAll(/:(\w+)/g, '{$1}')
      return Object.keys(layer.route.methods).map((method) => `${method.toUpperCase()} ${path}`)
    }
    if (!layer.handle.stack) return []
    const isEverywhere = layer.match('/nowhere/at-all')
    const mounted = isEverywhere ? '' : PREFIXES.find((candidate) => layer.match(`${candidate}/x`))
    if (mounted === undefined) throw new Error('a router is mounted where nobody looks')
    return routesIn(layer.handle as unknown as Router, prefix + mounted)
  })
}

export const nameOf = ({ method, path }: Operation) => `${method.toUpperCase()} ${path}`

export function operationOf(method: string, path: string): Operation {
  const found = OPERATIONS.find((operation) => {
    const pattern = operation.path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')
    return operation.method === method.toLowerCase() && new RegExp(`^${pattern}$`).test(path)
  })
  if (!found) throw new Error(`${method} ${path} is not described`)
  return found
}

interface Described {
  paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, { schema: object }> }> }>>
}

export const DOCUMENT = createOpenApi('0.0.0')

/** Compares answers with the document: their status, their type, and every field of a JSON body. */
export function createAnswerCheck() {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  formats.default(ajv)
  ajv.addSchema({ ...DOCUMENT, $id: 'api' })
  return (method: string, path: string, answer: Answer): Operation => {
    const operation = operationOf(method, path.replace(/\?.*/, ''))
    const what = `${nameOf(operation)} answered ${answer.status}`
    const { responses } = (DOCUMENT as unknown as Described).paths[operation.path]?.[operation.method] ?? {
      responses: {},
    }
    const described = responses[String(answer.status)]
    if (!described) throw new Error(`${what}: not described`)
    const type = (answer.headers.get('content-type') ?? '').replace(/;.*/, '')
    if (!described.content) return operation
    expect(Object.keys(described.content), what).to.include(type)
    if (!type.endsWith('json')) return operation
    const pointer = ['paths', operation.path, operation.method, 'responses', String(answer.status), 'content', type]
    const reference = pointer.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')
    const validate = ajv.getSchema(`api#/${encodeURI(reference)}/schema`)
    if (!validate) throw new Error(`${what}: no schema`)
    if (!validate(answer.body)) throw new Error(`${what}: ${ajv.errorsText(validate.errors)}`)
    return operation
  }
}
