import fc from 'fast-check'

/*
 * What can happen to bytes and to JSON on their way. Deterministic: fast-check chooses,
 * so that a seed repeats a case and makes it small.
 */

type Change = (bytes: Buffer) => Buffer

/** One to a few changes, at places counted in units of `unit` bytes (a packet, a byte). */
export function damage(unit: number): fc.Arbitrary<Change> {
  const place = fc.nat(2 ** 30)
  const within = (bytes: Buffer, at: number) => (at % (Math.floor(bytes.length / unit) + 1)) * unit
  const byte: fc.Arbitrary<Change> = fc.tuple(place, fc.nat(255)).map(([at, value]) => (bytes) => {
    const changed = Buffer.from(bytes)
    if (changed.length > 0) changed[at % changed.length] = value
    return changed
  })
  const bit: fc.Arbitrary<Change> = fc.tuple(place, fc.nat(7)).map(([at, n]) => (bytes) => {
    const changed = Buffer.from(bytes)
    if (changed.length > 0) changed[at % changed.length]! ^= 1 << n
    return changed
  })
  const cut: fc.Arbitrary<Change> = place.map((at) => (bytes) => bytes.subarray(0, within(bytes, at)))
  const remove: fc.Arbitrary<Change> = fc
    .tuple(place, fc.integer({ min: 1, max: 20 }))
    .map(([at, count]) => (bytes) => {
      const from = within(bytes, at)
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + count * unit)])
    })
  const repeat: fc.Arbitrary<Change> = fc
    .tuple(place, place, fc.integer({ min: 1, max: 20 }))
    .map(([from, to, count]) => (bytes) => {
      const [source, target] = [within(bytes, from), within(bytes, to)]
      const taken = bytes.subarray(source, source + count * unit)
      return Buffer.concat([bytes.subarray(0, target), taken, bytes.subarray(target)])
    })
  const insert: fc.Arbitrary<Change> = fc
    .tuple(place, fc.uint8Array({ minLength: 1, maxLength: 2 * unit }))
    .map(([at, more]) => (bytes) => {
      const from = within(bytes, at)
      return Buffer.concat([bytes.subarray(0, from), more, bytes.subarray(from)])
    })
  return fc
    .array(fc.oneof({ weight: 4, arbitrary: byte }, { weight: 4, arbitrary: bit }, cut, remove, repeat, insert), {
      minLength: 1,
      maxLength: 6,
    })
    .map((changes) => (bytes) => changes.reduce((changed, change) => change(changed), bytes))
}

/** What is a little more than a text field wants. */
export const strangeText = fc.oneof(
  fc.constantFrom(
    ...['', ' ', '\0', '../..', '%', '%00', '%2e%2e%2f', "'; drop table files; --", '{}', 'null', '-1', '1e999'],
    ...['0'.repeat(400), '9'.repeat(30), '\u202e', '\ud800', '\uffff', 'ﬀ', '${x}', '{{x}}', '\r\nX: y', '__proto__'],
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ maxLength: 300 }),
)

export const strangeValue: fc.Arbitrary<unknown> = fc.oneof(
  strangeText,
  fc.constantFrom(null, true, 0, -1, 1.5, 2 ** 31, 2 ** 53, 1e300, [], {}, [[]]),
  fc.jsonValue({ maxDepth: 3 }),
)

type JsonChange = (value: unknown) => unknown

/** Changes somewhere in a JSON value: a field is dropped, renamed, doubled beside, or holds something else. */
export const jsonDamage: fc.Arbitrary<JsonChange> = fc
  .array(fc.tuple(fc.nat(2 ** 20), fc.constantFrom('replace', 'replace', 'drop', 'add', 'wrap'), strangeValue), {
    minLength: 1,
    maxLength: 4,
  })
  .map((changes) => (value) => {
    const root = { value: structuredClone(value) }
    for (const [at, kind, other] of changes) {
      const places = placesIn(root.value, root, 'value')
      const place = places[at % places.length]
      if (place) changePlace(place, kind, structuredClone(other))
    }
    return root.value
  })

interface Place {
  holder: Record<string, unknown>
  key: string
}

function placesIn(value: unknown, holder: object, key: string): Place[] {
  const here: Place = { holder: holder as Record<string, unknown>, key }
  if (typeof value !== 'object' || value === null) return [here]
  return [here, ...Object.entries(value).flatMap(([name, inner]) => placesIn(inner, value, name))]
}

function changePlace({ holder, key }: Place, kind: string, other: unknown): void {
  if (kind === 'drop') delete holder[key]
  else if (kind === 'wrap') holder[key] = [holder[key]]
  else if (kind === 'add') holder[`${key}_`] = other
  else holder[key] = other
}
