import { expect } from 'chai'
import { sql } from 'kysely'
import { createDb, createPool, isDatabaseAway, type Db } from '../../src/db/connect.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { silentLog } from '../support/log.ts'

describe('a transaction', () => {
  let database: TestDatabase
  let db: Db

  before(async () => {
    database = await createTestDatabase()
    db = createDb(createPool(database.url, silentLog))
    await sql`create table notes (note text unique)`.execute(db)
  })
  after(async () => {
    await db.destroy()
    await database.drop()
  })

  const write = async (to: Pick<Db, 'getExecutor'>, note: string) => sql`insert into notes values (${note})`.execute(to)
  const notes = async () => {
    const { rows } = await sql<{ note: string }>`select note from notes order by note`.execute(db)
    return rows.map(({ note }) => note)
  }
  const failure = async (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    )

  it('is begun before what is first done in it, and kept or left as a whole', async () => {
    await db.transaction().execute(async (trx) => {
      await write(trx, 'kept')
      const { rows } = await sql<{
        begun: boolean
      }>`select pg_current_xact_id_if_assigned() is not null as begun`.execute(trx)
      expect(rows).to.deep.equal([{ begun: true }])
      expect(await notes()).to.deep.equal([])
    })
    const left = db.transaction().execute(async (trx) => {
      await write(trx, 'left')
      throw new Error('changed its mind')
    })
    expect(await failure(left)).to.have.property('message', 'changed its mind')
    const clash = db.transaction().execute(async (trx) => {
      await write(trx, 'also left')
      await write(trx, 'kept')
    })
    expect(await failure(clash)).to.have.property('code', '23505')
    await db.transaction().execute(async () => undefined)
    expect(await notes()).to.deep.equal(['kept'])
  })

  it('fails as away when its connection is lost, and the next one has another', async () => {
    for (const when of ['before it wrote', 'after it wrote']) {
      const lost = db.transaction().execute(async (trx) => {
        if (when.startsWith('after')) await write(trx, when)
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)
        await sql`select pg_terminate_backend(${rows[0]?.pid}::int, 5000)`.execute(db)
        await write(trx, when)
      })
      expect(isDatabaseAway(await failure(lost)), when).to.equal(true)
    }
    expect(await notes()).to.deep.equal(['kept'])
    await db.transaction().execute(async (trx) => write(trx, 'later'))
    expect(await notes()).to.deep.equal(['kept', 'later'])
  })
})
