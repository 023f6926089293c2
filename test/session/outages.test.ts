import { OUTAGES, type Outage } from './outages.ts'
import { startStage } from './stage.ts'

describe('a stage in trouble', () => {
  let played: PromiseSettledResult<void>[]

  before(async function () {
    this.timeout(120_000)
    const queue = [...OUTAGES.entries()]
    played = Array.from({ length: queue.length })
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const [index, outage] = next
        const [result] = await Promise.allSettled([playOutage(outage)])
        played[index] = result
      }
    }
    await Promise.all(Array.from({ length: 5 }, work))
  })

  for (const [index, { situation }] of OUTAGES.entries())
    it(situation, () => {
      const result = played[index]
      if (result?.status === 'rejected') throw result.reason
    })
})

async function playOutage({ stage: options, plays }: Outage): Promise<void> {
  const stage = await startStage(options)
  try {
    await plays(stage.scene('stage'))
  } finally {
    await stage.stop()
  }
}
