import type { z } from 'zod'
import type { ErrorCode } from '../errors.ts'

/** Who may call: everybody, who has an access token, or who has a link or an access token. README says who of them may do what. */
export type Access = 'everybody' | 'livekit' | 'token' | 'link'

export interface OperationAnswer {
  description: string
  /** JSON, unless `type` says otherwise. */
  schema?: z.ZodType
  type?: string
  headers?: Record<string, string>
}

/** One call, as the OpenAPI document tells it: made of the schemas that the route itself uses. */
export interface Operation {
  method: 'get' | 'post' | 'patch' | 'delete'
  /** With parameters in braces. */
  path: string
  id: string
  tag: 'Sessions' | 'Captures' | 'Clips' | 'Media' | 'Events' | 'Service'
  summary: string
  description?: string
  access: Access
  query?: z.ZodObject
  headers?: Record<string, { description: string; schema: Record<string, unknown> }>
  body?: z.ZodType
  answers: Record<number, OperationAnswer>
  /** Those that are this call's own; what every call of its kind can answer is added. */
  errors: ErrorCode[]
}
