// A libSQL server in the place of a file's connection. Separate from the client because this half is only the shape the
// writer, the reader and the migrations expect; there is nothing to tune: each transaction brings its own settings.

import type { DatabaseConnection } from "./connection";
import type { DatabaseTransaction } from "./database-client";
import { isUnreachable } from "./database-error";
import { RemoteClient, type RemoteClientOptions } from "./remote-client";
import { type TurnGuard, turnsBetweenAnswers } from "./turn-guard";

export class RemoteConnection implements DatabaseConnection {
  readonly isRemote = true;
  readonly isTuned = true;
  readonly client: RemoteClient;

  constructor(options: RemoteClientOptions) {
    this.client = new RemoteClient(options);
  }

  distrust(): void {
    // Every request stands on its own.
  }

  async tune(): Promise<void> {
    // Nothing lasts longer than a transaction.
  }

  begin(): Promise<DatabaseTransaction> {
    return this.client.begin({ foreignKeys: true, isLong: false });
  }

  beginSchemaChange(): Promise<DatabaseTransaction> {
    return this.client.begin({ foreignKeys: false, isLong: true });
  }

  async lock(): Promise<void> {
    // Held since `begin`.
  }

  turnGuard(): TurnGuard {
    return turnsBetweenAnswers();
  }

  requireInPlace(): void {
    // Where its files are is the server's business.
  }

  /** Differs from the last one where another process has committed meanwhile, or nobody can tell. */
  async version(): Promise<string> {
    try {
      return String(await this.client.foreignCommitCount());
    } catch (error) {
      if (isUnreachable(error)) return "out of reach";
      throw error;
    }
  }

  close(): void {
    this.client.close();
  }
}
