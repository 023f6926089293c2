const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Whether this is an id of ours, a lower-case UUID of version 7. Anything else never gets near a path or a query. */
export function isOurId(text: string): boolean {
  return UUID_V7.test(text)
}
