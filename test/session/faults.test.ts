import { EGRESS_FAULTS } from './egress-faults.ts'
import type { Row } from './fault-row.ts'
import { SHARE_FAULTS } from './share-faults.ts'
import { startStage, type Stage } from './stage.ts'

/*
 * What goes wrong between LiveKit and us, one line each. Every line has a room of its own
 * on one stage, and everything happens at once.
 */

function play(rows: Row[], named: string): void {
  describe(named, () => {
    let stage: Stage
    let played: PromiseSettledResult<void>[]

    before(async function () {
      this.timeout(60_000)
      stage = await startStage()
      played = await Promise.allSettled(rows.map(async (row, index) => playRow(row, stage, `${named} ${index}`)))
    })
    after(() => stage.stop())

    for (const [index, { situation }] of rows.entries())
      it(situation, () => {
        const result = played[index]
        if (result?.status === 'rejected') throw result.reason
      })
  })
}

async function playRow(row: Row, stage: Stage, room: string): Promise<void> {
  const scene = stage.scene(room)
  await row.happens(scene)
  await row.mustBe(scene, await scene.sessions())
}

play(SHARE_FAULTS, 'shares in trouble')
play(EGRESS_FAULTS, 'egresses in trouble')
