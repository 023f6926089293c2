import { expect } from 'chai'
import fc from 'fast-check'
import { createBatches } from '../../src/webhook/batches.ts'

/** Work that is done when it is let, and what it was given each time. */
function createWork(isBad: (item: number) => boolean) {
  const begun: number[][] = []
  const go: (() => void)[] = []
  const work = async (items: number[]): Promise<string[]> => {
    begun.push(items)
    await new Promise<void>((resolve) => go.push(resolve))
    if (items.some(isBad)) throw new Error(`one of ${items.join()}`)
    return items.map((item) => `done ${item}`)
  }
  /** Until nothing is under way any more. */
  const letAll = async () => {
    for (let idle = 0; idle < 5; idle += 1) {
      if (go.length > 0) idle = 0
      for (const next of go.splice(0)) next()
      await new Promise(setImmediate)
    }
  }
  return { begun, work, letAll }
}

describe('batches', () => {
  it('do one item at once, and those that come meanwhile together', async () => {
    const { begun, work, letAll } = createWork(() => false)
    const ask = createBatches(work, () => false)
    const answers = Promise.all([ask(1), ask(2), ask(3)])
    expect(begun).to.deep.equal([[1]])
    await letAll()
    expect(await answers).to.deep.equal(['done 1', 'done 2', 'done 3'])
    expect(begun).to.deep.equal([[1], [2, 3]])
  })

  it('fail nobody for what another asked, and give each the answer to what it asked', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.integer({ min: -3, max: 9 }), { maxLength: 6 })), async (waves) => {
        const { begun, work, letAll } = createWork((item) => item < 0)
        const ask = createBatches(work, () => false)
        const asked: { item: number; answer: Promise<string> }[] = []
        for (const wave of waves) {
          for (const item of wave) asked.push({ item, answer: ask(item).catch((error: Error) => error.message) })
          await new Promise(setImmediate)
        }
        await letAll()
        for (const { item, answer } of asked)
          expect(await answer).to.equal(item < 0 ? `one of ${item}` : `done ${item}`)
        expect(begun.flat().length).to.be.at.most(2 * asked.length)
      }),
    )
  })

  it('are not tried one by one when nothing can be done', async () => {
    const { begun, work, letAll } = createWork(() => true)
    const ask = createBatches(work, () => true)
    const answers = Promise.allSettled([ask(1), ask(2), ask(3)])
    await letAll()
    expect((await answers).map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'rejected'])
    expect(begun).to.deep.equal([[1], [2, 3]])
  })
})
