import { Writable } from 'node:stream'
import { setImmediate as soon } from 'node:timers/promises'
import { expect } from 'chai'
import fc from 'fast-check'
import { pump, twoBuffers } from '../../src/media/pump.ts'
import { releaseBytes } from '../../src/media/release.ts'

/** Fills what it is given only some time after it was asked, as a disk does. */
async function* blocks(lengths: number[], onEnd: () => void) {
  const { take } = twoBuffers()
  try {
    for (const [n, length] of lengths.entries()) {
      const block = take(length)
      await soon()
      yield block.fill(n)
    }
  } finally {
    onEnd()
  }
}

/** Looks at the bytes only when it has had them for a while, as a socket does. */
function slowTarget(seen: Buffer[]): Writable {
  return new Writable({
    write(block: Buffer, _encoding, callback) {
      const look = () => {
        seen.push(Buffer.from(block))
        callback()
      }
      // Later than a source that began as soon as it was asked.
      setImmediate(() => setImmediate(look))
    },
  })
}

describe('bytes that are pumped through two buffers', () => {
  it('arrive whole and in order, however slow either end is', async () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(lengths, async (sizes) => {
        const seen: Buffer[] = []
        const written = await pump(
          blocks(sizes, () => undefined),
          slowTarget(seen),
        )
        const wanted = Buffer.concat(sizes.map((size, n) => Buffer.alloc(size, n)))
        expect(Buffer.concat(seen).equals(wanted)).to.equal(true)
        expect(written).to.equal(wanted.length)
      }),
      { numRuns: 50 },
    )
  })

  it('take no memory any more once the buffers are let go of', () => {
    const { take, release } = twoBuffers()
    const [one, other, small] = [take(100_000), take(200_000), Buffer.from('small ones share a pool')]
    releaseBytes(small)
    release()
    expect([one.buffer.byteLength, other.buffer.byteLength]).to.deep.equal([0, 0])
    expect(String(small)).to.equal('small ones share a pool')
  })

  it('stop when the target is closed, and let go of what they were read from', async () => {
    let ended = false
    const target = new Writable({ write: () => target.destroy() })
    const written = await pump(
      blocks([10, 10, 10], () => (ended = true)),
      target,
    )
    expect(written).to.be.below(30)
    expect(ended).to.equal(true)
  })

  it('fail as their source fails', async () => {
    const broken = (async function* () {
      yield Buffer.alloc(10)
      throw new Error('the disk is gone')
    })()
    const failure = await pump(broken, slowTarget([])).catch((error: Error) => error.message)
    expect(failure).to.equal('the disk is gone')
  })
})
