import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import { expect } from 'chai'
import { readPictureClock } from '../../src/simulator/picture-clock.ts'
import { checkMp4 } from '../media/strict-boxes.ts'
import type { RecordingName } from '../support/recording.ts'
import { startRecordedShare, type RecordedShare } from '../support/recorded-share.ts'
import { backendToken } from '../support/service.ts'
import { until } from '../support/until.ts'

const FRAME_MS = 1000 / 15

/** How much of each is landed, and the sound that it has. */
const RECORDINGS: [RecordingName, { segments: number; hasSound: boolean }][] = [
  ['participant-stopped', { segments: 8, hasSound: true }],
  ['track-composite-ended', { segments: 12, hasSound: false }],
  ['egress-killed', { segments: 6, hasSound: true }],
]

for (const [name, { segments, hasSound }] of RECORDINGS)
  describe(`a clip of the recording ${name}`, () => {
    let share: RecordedShare
    let token: string

    before(async () => {
      token = await backendToken()
      share = await startRecordedShare(name)
      await share.land({ to: segments })
      await until('the segments', async () => {
        const { body } = await share.call('GET', `/v1/sessions/${share.sessionId}`, { token })
        return body.coverage.coveredSeconds > 2 * segments - 1
      })
    })
    after(() => share.stop())

    async function capture(offsetMs: number, lengthMs: number) {
      const from = new Date(share.startedAtMs + offsetMs)
      const to = new Date(from.getTime() + lengthMs)
      share.setClock(to.getTime() + 60_000)
      const path = `/v1/sessions/${share.sessionId}/clips?exact=true`
      const { status, body } = await share.call('POST', path, { token, body: { from, to } })
      expect(status).to.equal(201)
      expect(body.coverage.clock).to.equal('measured')
      const file = join(share.config.dataPath, 'downloaded.mp4')
      await writeFile(file, Buffer.from(await (await fetch(body.links.file)).arrayBuffer()))
      return { from: from.getTime(), to: to.getTime(), file }
    }

    it('begins and ends with the pictures of the asked-for instants, to one frame of the share', async () => {
      // From within a segment and over its end, at several places between two pictures.
      for (const [offsetMs, lengthMs] of [
        [3211, 500],
        [3245, 1534],
        [5279, 900],
        [7990, 40],
      ] as const) {
        const { from, to, file } = await capture(offsetMs, lengthMs)
        const frames = await readPictureClock(ffmpegInstaller.path, file)
        // What is on the screen at an instant was drawn up to a frame before it; the session clock is 10 to 25 ms early.
        const what = `of ${lengthMs} ms from ${offsetMs} on`
        expect((frames[0]?.wallMs ?? 0) - from, `first picture ${what}`).to.be.within(-FRAME_MS, 30)
        expect((frames.at(-1)?.wallMs ?? 0) - to, `last picture ${what}`).to.be.within(-FRAME_MS, 30)
      }
    })

    it(hasSound ? 'has its sound' : 'has no sound track, for none was recorded', async () => {
      const { file } = await capture(3000, 500)
      const handlers = checkMp4(await readFile(file)).map(({ handler }) => handler)
      expect(handlers).to.deep.equal(hasSound ? ['vide', 'soun'] : ['vide'])
    })
  })
