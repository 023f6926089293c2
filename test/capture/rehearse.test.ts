import { sql } from 'kysely'
import { expect } from 'chai'
import { startTestService, type TestService } from '../support/service.ts'

const TABLES = ['egress_sessions', 'segments', 'segment_frames', 'share_spans', 'replay_clips', 'clip_sessions']
const MORE = ['clip_segments', 'user_quotas', 'events', 'graphile_worker.jobs']

describe('a rehearsal of a capture', () => {
  let service: TestService

  before(async () => {
    service = await startTestService({ livekitUrl: 'http://127.0.0.1:9' })
  })
  after(() => service.stop())

  it('leaves nothing behind: no row, no job, no event', async () => {
    await service.service.rehearse()
    for (const table of [...TABLES, ...MORE]) {
      const { rows } = await sql`select * from ${sql.raw(table)}`.execute(service.service.db)
      expect(rows, table).to.deep.equal([])
    }
  })
})
