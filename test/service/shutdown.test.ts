import { expect } from 'chai'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { createShutdown, PHASE_LIMITS_MS, PHASES } from '../../src/service/shutdown.ts'
import { startStillWriter } from '../simulator/still-writer.ts'
import { QUICK } from '../session/stage.ts'
import { keepLog, type LogLine } from '../support/log.ts'
import { API_KEY, API_SECRET, startTestService } from '../support/service.ts'
import { until } from '../support/until.ts'

const phasesIn = (lines: LogLine[]) =>
  lines.flatMap(({ message, phase }) => (message.startsWith('shutdown phase') ? [`${String(phase)}: ${message}`] : []))

describe('the end of a service', () => {
  it('goes through its phases in order, though a part fails and another never ends', async () => {
    const { log, lines } = keepLog()
    const limits = { ...PHASE_LIMITS_MS, work: 20 }
    const shutdown = createShutdown(log, limits)
    const stopped: string[] = []
    for (const phase of PHASES.toReversed())
      shutdown.add(phase, async () => {
        stopped.push(phase)
      })
    shutdown.add('http', () => Promise.reject(new Error('broken')))
    shutdown.add('work', () => new Promise(() => undefined))
    await Promise.all([shutdown.stop(), shutdown.stop()])
    expect(stopped).to.deep.equal(PHASES)
    expect(phasesIn(lines)).to.deep.equal([
      'http: shutdown phase done',
      'work: shutdown phase cut off',
      'watcher: shutdown phase done',
      'database: shutdown phase done',
      'postgres: shutdown phase done',
    ])
    expect(lines.filter(({ level }) => level === 'error')).to.have.length(1)
    expect(lines.find(({ level }) => level === 'error')).to.include({ phase: 'http', error: 'broken' })
  })

  it('does not wait for a LiveKit that does not answer a start', async () => {
    const simulator = await startSimulator({
      apiKey: API_KEY,
      apiSecret: API_SECRET,
      startWriter: startStillWriter,
      timing: QUICK,
      faults: { startAnswerDelayMs: 60_000 },
    })
    const phaseLimitsMs = { ...PHASE_LIMITS_MS, work: 100, database: 1000 }
    const test = await startTestService({ livekitUrl: simulator.url, phaseLimitsMs })
    simulator.setWebhookUrls([`${test.url}/webhooks/livekit`])
    simulator.join('stage', { identity: 'alice' })
    simulator.publishShare('stage', 'alice')
    await until('the start call', () => simulator.egresses().length > 0)
    await test.stop()
    expect(phasesIn(test.lines).slice(0, 3)).to.deep.equal([
      'http: shutdown phase done',
      'work: shutdown phase cut off',
      'watcher: shutdown phase done',
    ])
    await simulator.stop()
  })
})
