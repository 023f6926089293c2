import { expect } from 'chai'
import { createLog, errorFields } from '../src/log.ts'

/** What is written to stderr while `act` runs. */
async function written(act: () => void): Promise<string> {
  const original = console._stderr.write
  let text = ''
  // winston's console transport writes here.
  console._stderr.write = ((chunk: string) => {
    text += chunk
    return true
  }) as typeof original
  try {
    act()
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    console._stderr.write = original
  }
  return text
}

declare global {
  interface Console {
    _stderr: NodeJS.WriteStream
  }
}

describe('the log', () => {
  it('writes one JSON line a fact', async () => {
    const text = await written(() =>
      createLog({ level: 'info', readable: false }).info('session moved', { sessionId: 'one', status: 'active' }),
    )
    expect(text.trim().split('\n')).to.have.length(1)
    expect(JSON.parse(text)).to.include({ level: 'info', message: 'session moved', sessionId: 'one', status: 'active' })
  })

  it('keeps a value from outside within its line, on a terminal too', async () => {
    for (const readable of [true, false]) {
      const text = await written(() =>
        createLog({ level: 'info', readable }).info('webhook received', { room: 'a\nERROR forged\u001b[31m' }),
      )
      expect(text.trim().split('\n')).to.have.length(1)
      expect(text).not.to.contain('\u001b')
    }
  })

  it('withholds what is called a secret', async () => {
    const text = await written(() =>
      createLog({ level: 'info', readable: false }).info('called', { authorization: 'Bearer x', apiSecret: 'hunter2' }),
    )
    expect(text).not.to.match(/Bearer x|hunter2/)
  })

  it('is silent below its level', async () => {
    expect(await written(() => createLog({ level: 'warn', readable: false }).info('nothing'))).to.equal('')
  })

  it('tells of an error with what caused it', () => {
    const error = new Error('outer', { cause: new Error('inner') })
    expect(errorFields(error)).to.include({ error: 'outer' })
    expect(errorFields(error)['cause']).to.include({ error: 'inner' })
  })
})
