import {
  PostgresDialect,
  PostgresDriver,
  type DatabaseConnection,
  type Driver,
  type PostgresDialectConfig,
  type TransactionSettings,
} from 'kysely'

/*
 * A transaction's BEGIN is sent and not waited for: what is asked first follows it on the same connection, which is
 * pipelined, and a round trip is saved. A BEGIN fails only with its connection; then all that follows fails as well.
 */

/** Postgres as Kysely knows it, of a pool whose clients are pipelined. */
export class PromptDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig

  constructor(config: PostgresDialectConfig) {
    super(config)
    this.#config = config
  }

  override createDriver(): Driver {
    return new PromptDriver(this.#config)
  }
}

class PromptDriver extends PostgresDriver {
  readonly #begun = new WeakMap<DatabaseConnection, Promise<void>>()

  override async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const begun = super.beginTransaction(connection, settings)
    this.#begun.set(connection, begun)
    // It is told when the transaction ends.
    begun.catch(() => undefined)
  }

  /** Throws what BEGIN threw: nothing was committed then. */
  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await this.#begun.get(connection)
    await super.commitTransaction(connection)
  }
}
