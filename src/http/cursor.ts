import { AppError } from '../errors.ts'
import { isOurId } from '../own-id.ts'

/** The last clip of a page, which says where the next one begins. Opaque to clients. */
export interface Cursor {
  created_at: Date
  id: string
}

export function formatCursor({ created_at, id }: Cursor): string {
  return Buffer.from(`${created_at.getTime()}/${id}`).toString('base64url')
}

/** Throws `invalid_request`. */
export function parseCursor(text: string): Cursor {
  const [time = '', id = ''] = Buffer.from(text, 'base64url').toString().split('/')
  if (!/^\d{1,14}$/.test(time) || !isOurId(id))
    throw new AppError('invalid_request', 'cursor: the nextCursor of the page before')
  return { created_at: new Date(Number(time)), id }
}
