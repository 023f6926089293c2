import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { BREAKS } from '../mutation/breaks.ts'

const ROOT = new URL('../', import.meta.url).pathname
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

/* `npm run mutate` takes many minutes: what it would stumble over is seen here. */
describe('the breaks of the invariants', () => {
  for (const { what, file, search, replace, tests } of BREAKS)
    it(`can be made, and are looked for by tests: ${what}`, () => {
      expect(read(file).split(search), `${search} in ${file}`).to.have.length(2)
      expect(replace).not.to.equal(search)
      for (const test of tests) expect(read(test), test).to.include('describe(')
    })

  it('are of every invariant in the README', () => {
    const [, section = ''] = /\n## Invariants\n(.*?)\n## /s.exec(read('README.md')) ?? []
    const invariants = [...section.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number))
    expect(invariants.length).to.be.greaterThan(0)
    expect([...new Set(BREAKS.map(({ invariant }) => invariant))]).to.deep.equal(invariants)
  })
})
