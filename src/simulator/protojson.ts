import type { WebhookEvent } from '@livekit/protocol'

type FieldInfo = ReturnType<ReturnType<WebhookEvent['getType']>['fields']['list']>[number]

/** Any message of LiveKit's protocol. */
export type Message = { getType(): { fields: { list(): readonly FieldInfo[] } } }

/**
 * Go's protojson, which is what LiveKit speaks. Fields stand in the order of the .proto file. Two dialects:
 *
 * - `webhook`: camelCase, zero values omitted;
 * - `twirp`: snake_case, zero values present, an unset message is null.
 *
 * In both int64 is a string, an enum its name, and a oneof shows only the case that is set. Go adds a space after each
 * comma in some builds and not in others; the recorded LiveKit is one with the space.
 */
export type Dialect = 'webhook' | 'twirp'

export function protoJson(message: Message, dialect: Dialect): string {
  return writeMessage(message, dialect)
}

function writeMessage(message: Message, dialect: Dialect): string {
  const fields = message.getType().fields.list()
  const parts = fields.flatMap((field) => {
    const value = fieldValue(message, field)
    if (value === undefined && (dialect === 'webhook' || field.oneof || field.opt)) return []
    if (dialect === 'webhook' && !field.oneof && !field.opt && isZero(value)) return []
    const name = dialect === 'twirp' ? field.name : field.jsonName
    return [`${JSON.stringify(name)}:${value === undefined ? 'null' : writeField(field, value, dialect)}`]
  })
  return `{${parts.join(', ')}}`
}

function fieldValue(message: Message, field: FieldInfo): unknown {
  const values = message as unknown as Record<string, unknown>
  if (!field.oneof) return values[field.localName]
  const group = values[field.oneof.localName] as { case: string | undefined; value?: unknown }
  return group.case === field.localName ? group.value : undefined
}

function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0
  if (isMap(value)) return Object.keys(value).length === 0
  return value === 0 || value === 0n || value === '' || value === false
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

function writeField(field: FieldInfo, value: unknown, dialect: Dialect): string {
  if (field.repeated) {
    return `[${(value as unknown[]).map((one) => writeSingle(field, one, dialect)).join(', ')}]`
  }
  if (field.kind === 'map') {
    const entries = Object.entries(value as Record<string, unknown>).toSorted(([a], [b]) => (a < b ? -1 : 1))
    return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${JSON.stringify(one)}`).join(', ')}}`
  }
  return writeSingle(field, value, dialect)
}

function writeSingle(field: FieldInfo, value: unknown, dialect: Dialect): string {
  if (field.kind === 'message') return writeMessage(value as Message, dialect)
  if (field.kind === 'enum') return JSON.stringify(field.T.findNumber(value as number)?.name ?? value)
  if (typeof value === 'bigint') return `"${value}"`
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'))
  return JSON.stringify(value)
}
