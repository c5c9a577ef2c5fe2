// Reading, on a connection of its own that refuses to write. Separate from the writer so that reads never see
// what is not committed, and never wait for a group. All reads share one connection: the driver answers within
// one turn of the event loop, so more of them would run no faster.

import type { InStatement, ResultSet } from "@libsql/client/sqlite3";
import { bindRead, type Executor, type ReadDatabase, requireStorable } from "./bind";
import type { DatabaseConnection } from "./connection";
import { asBsoptError, databaseCode, isBusy, isCorruption } from "./database-error";
import { type Patience, whileBusy } from "./patience";

export interface ReaderOptions {
  readonly connection: DatabaseConnection;
  readonly patience: Patience;
  /** Throws where reading is not allowed just now: inside a write. */
  readonly requireAllowed: () => void;
  readonly onCorruption: (error: unknown) => void;
  /** Told how long each select took that was answered at its first try. */
  readonly onRead?: ((milliseconds: number) => void) | undefined;
}

/** Runs selects; on SQLITE_BUSY replaces its connection (the failed statement would pin an old view) and tries again. */
export class Reader implements Executor {
  readonly database: ReadDatabase;
  readonly #options: ReaderOptions;
  #recovery: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.database = bindRead(this);
  }

  async execute(statement: InStatement): Promise<ResultSet> {
    const { connection, patience, requireAllowed, onCorruption, onRead } = this.#options;
    requireAllowed();
    requireStorable(statement);
    try {
      if (connection.isTuned) {
        const { clock } = patience;
        const begunAt = clock.monotonicMilliseconds();
        const answer = await connection.client.execute(statement);
        onRead?.(clock.monotonicMilliseconds() - begunAt);
        return answer;
      }
    } catch (error) {
      if (isCorruption(error)) onCorruption(asBsoptError(error));
      // A read in flight while another one replaced the connection finds it closed.
      const isReplaced = databaseCode(error) === "CLIENT_CLOSED" && !this.#isClosed;
      if (!isBusy(error) && !isReplaced) throw asBsoptError(error);
      if (isBusy(error)) connection.distrust();
    }
    return whileBusy(
      patience,
      async () => {
        await this.#recover();
        return connection.client.execute(statement);
      },
      () => connection.distrust(),
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#options.connection.close();
  }

  /** One replacement at a time: a second would close the connection the first has just opened. */
  #recover(): Promise<void> {
    this.#recovery ??= this.#options.connection.tune().finally(() => {
      this.#recovery = null;
    });
    return this.#recovery;
  }
}
