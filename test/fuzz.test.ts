import fc from 'fast-check'
import { startHttpFuzz, type HttpFuzz } from '../fuzz/http.ts'
import { mediaTargets } from '../fuzz/media.ts'

/*
 * The short form of `npm run fuzz`: the same every time. `FUZZ_SEED` makes it another.
 */

const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_123)

describe('whatever comes from outside', () => {
  for (const [name, property] of Object.entries(mediaTargets()))
    it(`is read or refused: ${name} (seed ${SEED})`, () => {
      fc.assert(property as fc.IProperty<unknown>, { seed: SEED, numRuns: 400, includeErrorInReport: true })
    })

  describe('over HTTP', () => {
    let http: HttpFuzz
    before(async () => {
      http = await startHttpFuzz()
    })
    after(() => http.stop())

    for (const name of ['a webhook, its JSON changed', 'a webhook, its bytes damaged', 'a call'])
      it(`is answered as it is described: ${name} (seed ${SEED})`, async () => {
        const property = http.targets[name]
        if (!property) throw new Error(`there is no ${name}`)
        await fc.assert(property, { seed: SEED, numRuns: 150, includeErrorInReport: true })
      })
  })
})
