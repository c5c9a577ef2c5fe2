// What the writer, the reader and the migrations need of a database, wherever it is: a file of this machine through the
// driver, or a server through remote-client.ts. Separate so that neither of the two is the other's special case.

import type { InStatement, ResultSet } from "@libsql/client/sqlite3";

/** The driver's answer to one statement; integers come as bigint. */
export type StatementResult = ResultSet;

/** An open transaction. */
export interface DatabaseTransaction {
  execute(statement: InStatement): Promise<StatementResult>;
  executeMultiple(script: string): Promise<void>;
  /** Resolves once everything is kept. */
  commit(): Promise<void>;
  /** Undoes what was not committed. */
  close(): void;
  readonly closed: boolean;
}

/** One database, by statements outside any transaction. */
export interface DatabaseClient {
  execute(statement: InStatement): Promise<StatementResult>;
}
