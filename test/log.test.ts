import { Writable } from 'node:stream'
import { expect } from 'chai'
import { createLog, errorFields } from '../src/log.ts'

/** What is written while `act` runs. */
async function written(options: Parameters<typeof createLog>[0], act: (log: ReturnType<typeof createLog>) => void) {
  let text = ''
  const output = new Writable({
    write(chunk: Buffer, _, done) {
      text += chunk.toString()
      done()
    },
  })
  act(createLog({ ...options, output }))
  await new Promise((resolve) => setImmediate(resolve))
  return text
}

const JSON_LINES = { level: 'info', readable: false } as const

describe('the log', () => {
  it('writes one JSON line a fact', async () => {
    const text = await written(JSON_LINES, (log) => log.info('session moved', { sessionId: 'one', status: 'active' }))
    expect(text.trim().split('\n')).to.have.length(1)
    expect(JSON.parse(text)).to.include({ level: 'info', message: 'session moved', sessionId: 'one', status: 'active' })
  })

  it('keeps a value from outside within its line, on a terminal too', async () => {
    for (const readable of [true, false]) {
      const room = 'a\nERROR forged\u001b[31m'
      const text = await written({ level: 'info', readable }, (log) => log.info('webhook received', { room }))
      expect(text.trim().split('\n')).to.have.length(1)
      expect(text).not.to.contain('\u001b')
    }
  })

  it('withholds what is called a secret', async () => {
    const text = await written(JSON_LINES, (log) =>
      log.info('called', { authorization: 'Bearer x', apiSecret: 'hunter2' }),
    )
    expect(text).not.to.match(/Bearer x|hunter2/)
  })

  it('is silent below its level', async () => {
    expect(await written({ level: 'warn', readable: false }, (log) => log.info('nothing'))).to.equal('')
  })

  it('has levels for the parts that differ, and names the part in each line', async () => {
    const text = await written(
      { level: 'info', modules: { segment: 'debug', http: 'error' }, readable: false },
      (log) => {
        log.debug('nothing')
        log.child('segment').debug('segments landed', { count: 1 })
        log.child('http').warn('answer cut off')
        log.child('session').info('session moved')
      },
    )
    const lines = text.trim().split('\n')
    expect(lines.map((line) => JSON.parse(line) as object)).to.have.length(2)
    expect(JSON.parse(lines[0] ?? '')).to.include({ module: 'segment', message: 'segments landed', count: 1 })
    expect(JSON.parse(lines[1] ?? '')).to.include({ module: 'session', message: 'session moved' })
  })

  it('tells of an error with what caused it', () => {
    const error = new Error('outer', { cause: new Error('inner') })
    expect(errorFields(error)).to.include({ error: 'outer' })
    expect(errorFields(error)['cause']).to.include({ error: 'inner' })
  })
})
