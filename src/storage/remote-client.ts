// A database on a libSQL server, offering what a file's connection offers. Separate from the protocol below it because
// the rules that keep acknowledged rows safe across a network stand here.
//
// Invariants:
// 1. A write transaction holds the server's write lock from its first round trip to its end, with foreign keys as asked
//    for, and every later statement runs only while that very transaction is open: what the server ended is never
//    continued outside it.
// 2. Every COMMIT writes, in its own transaction, this client's mark: a number that only grows. Where the answer to a
//    COMMIT is lost, the write lock is taken anew – from then on the lost transaction is over, one way or the other –
//    and the mark is read under it: a mark that is there says committed, one that is not says undone for ever.
// 3. Nothing waits longer than its stated limit.

import { type InStatement, LibsqlError } from "@libsql/client/sqlite3";
import { InvariantError } from "../foundation/assert";
import { backoffMilliseconds } from "../foundation/backoff";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import { randomBase62 } from "../foundation/identifier";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import type { DatabaseClient, DatabaseTransaction, StatementResult } from "./database-client";
import { databaseCode, isCertainlyUndone, isRefused, isUnreachable } from "./database-error";
import {
  type PipelineAnswer,
  type RemoteAddress,
  type RemoteArgument,
  RemotePipe,
  type RemoteStatement,
  remoteCodes,
  type Step,
} from "./remote-protocol";

export interface RemoteLimits {
  /** One statement, read or written, and one COMMIT. */
  readonly answerMilliseconds: number;
  /** Taking the write lock: the server lets a dead holder keep it for 5 s. */
  readonly lockMilliseconds: number;
  /** From BEGIN to the last moment a statement is sent: the server takes the lock away after 5 s where another waits. */
  readonly transactionMilliseconds: number;
  /** From BEGIN to the moment at which a lost COMMIT counts as unknown. Under the 10 s a client's connection may idle. */
  readonly commitMilliseconds: number;
  /** A question without a lock or content; under the 2 s of a readiness check. */
  readonly signOfLifeMilliseconds: number;
  /** Requests under way at once. */
  readonly requestsMax: number;
}

/** After so long a silence a sign of life is asked for before the lock. */
const signOfLifeMilliseconds = 250;

export const defaultRemoteLimits: RemoteLimits = {
  answerMilliseconds: 3000,
  lockMilliseconds: 5500,
  transactionMilliseconds: 4000,
  commitMilliseconds: 9000,
  signOfLifeMilliseconds: 1500,
  requestsMax: 512,
};

export interface RemoteClientOptions {
  readonly address: RemoteAddress;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly durability: RemoteDurability;
  readonly limits?: Partial<RemoteLimits>;
}

/** What is asked of a server's word that a row is kept. */
export interface RemoteDurability {
  /** The server's admin interface, where the server may be asked to sync each commit; null: nobody asks it. */
  readonly adminUrl: string | null;
  /** Write all the same where the server does not sync each commit. */
  readonly allowsRelaxed: boolean;
}

/** The row that counts every commit of every process. */
const everyone = "*";

export const marksTable = "commit_marks";

const createMarksSql = `CREATE TABLE IF NOT EXISTS ${marksTable} (
  process TEXT PRIMARY KEY NOT NULL,
  serial INTEGER NOT NULL,
  committed_at INTEGER NOT NULL
) STRICT`;

/** Marks of processes that have long ended go at another's first commit. */
const forgetMarksSql = `DELETE FROM ${marksTable} WHERE process <> '${everyone}' AND committed_at < unixepoch() - 86400`;

const markSql = `INSERT INTO ${marksTable} (process, serial, committed_at)
VALUES (?, ?, unixepoch()), ('${everyone}', 1, unixepoch())
ON CONFLICT (process) DO UPDATE SET
  serial = CASE process WHEN '${everyone}' THEN serial + 1 ELSE excluded.serial END,
  committed_at = excluded.committed_at`;

const resolveBaseMilliseconds = 50;
const resolveWaitMillisecondsMax = 1000;

const inside = (statement: RemoteStatement): Step => ({ ...statement, afterPrevious: true, insideTransaction: true });
const outside = (sql: string): Step => ({ sql, afterPrevious: true, insideTransaction: false });

export class RemoteClient implements DatabaseClient {
  readonly #options: RemoteClientOptions;
  readonly #limits: RemoteLimits;
  readonly #pipe: RemotePipe;
  /** This client among all that ever wrote. */
  readonly #process: string;
  /** Given to each COMMIT that is sent. */
  #serial = 0n;
  #committedCount = 0n;
  /** When the server last gave a sign of life. */
  #answeredAtMilliseconds = Number.NEGATIVE_INFINITY;

  constructor(options: RemoteClientOptions) {
    this.#options = options;
    this.#limits = { ...defaultRemoteLimits, ...options.limits };
    const { address, clock, random } = options;
    this.#pipe = new RemotePipe({ address, clock, requestsMax: this.#limits.requestsMax });
    this.#process = randomBase62(22, random);
  }

  /** One select. What it should write all the same is undone, and refused with SQLITE_READONLY. */
  async execute(statement: InStatement): Promise<StatementResult> {
    const answer = await this.#pipe.send({
      baton: null,
      steps: [outside("BEGIN"), inside(statementOf(statement)), inside({ sql: "ROLLBACK" })],
      close: true,
      timeoutMilliseconds: this.#limits.answerMilliseconds,
    });
    const result = resultAt(answer, 1);
    if (result.rowsAffected > 0) throw new LibsqlError("attempt to write while reading", "SQLITE_READONLY");
    return result;
  }

  /** A write transaction that holds the lock. Throws where the server keeps it from us: then nothing has happened. */
  async begin({ foreignKeys, isLong }: { foreignKeys: boolean; isLong: boolean }): Promise<DatabaseTransaction> {
    const { clock, durability } = this.#options;
    // A frozen server works off on waking what it was sent: were that a BEGIN a try, each would hold the lock for seconds.
    if (clock.monotonicMilliseconds() - this.#answeredAtMilliseconds > signOfLifeMilliseconds) {
      const timeoutMilliseconds = this.#limits.signOfLifeMilliseconds;
      await this.#pipe.send({ baton: null, close: true, timeoutMilliseconds });
    }
    const beganAtMilliseconds = clock.monotonicMilliseconds();
    this.#answeredAtMilliseconds = Number.NEGATIVE_INFINITY;
    const answer = await this.#pipe.send({
      baton: null,
      steps: [
        outside(`PRAGMA foreign_keys = ${foreignKeys ? "ON" : "OFF"}`),
        outside("BEGIN IMMEDIATE"),
        inside({ sql: "SELECT foreign_keys FROM pragma_foreign_keys" }),
        inside({ sql: synchronousSql }),
      ],
      close: false,
      timeoutMilliseconds: this.#limits.lockMilliseconds,
    });
    this.#answeredAtMilliseconds = clock.monotonicMilliseconds();
    resultAt(answer, 1);
    const transaction = new RemoteTransaction({
      pipe: this.#pipe,
      answer,
      limits: this.#limits,
      clock,
      // A migration may take its time: nobody serves meanwhile.
      endsAtMilliseconds: isLong
        ? Number.POSITIVE_INFINITY
        : beganAtMilliseconds + this.#limits.transactionMilliseconds,
      commit: (send) => this.#commit(send, isLong ? clock.monotonicMilliseconds() : beganAtMilliseconds),
    });
    if ((resultAt(answer, 2).rows[0]?.[0] === 1n) !== foreignKeys) {
      transaction.close();
      throw new InvariantError("the database server does not set foreign_keys");
    }
    // Looked at on the very stream that will commit: a restarted server is relaxed again.
    if (durabilityOf(answer.steps[3]?.result) === "relaxed" && !durability.allowsRelaxed) {
      transaction.close();
      await this.#strengthen();
      throw durabilityRelaxed();
    }
    return transaction;
  }

  /**
   * Asks the server to sync each commit where it does not and an admin interface is named. Throws unavailable
   * DATABASE_DURABILITY_RELAXED where it then still does not, unless that is allowed: then, as where the server does not
   * tell, the log is warned.
   */
  async requireDurable(): Promise<void> {
    const { durability, log } = this.#options;
    let found = await this.durability();
    if (found === "relaxed") {
      await this.#strengthen();
      found = await this.durability();
    }
    switch (found) {
      case "strong":
        return;
      case "relaxed":
        if (!durability.allowsRelaxed) throw durabilityRelaxed();
        log.warn({}, "the database server may lose acknowledged rows when its machine loses power");
        return;
      case "unknown":
        log.warn({}, "the database server does not tell whether what it acknowledges survives a loss of power");
    }
  }

  /** Whether the server says that it syncs each commit; asked with a select. */
  async durability(): Promise<Durability> {
    try {
      return durabilityOf(await this.execute(synchronousSql));
    } catch (error) {
      if (isUnreachable(error) || isRefused(error)) throw error;
      return "unknown";
    }
  }

  /** Sets durability_mode through the admin interface, leaving every other setting as it is. Failing, it only warns. */
  async #strengthen(): Promise<void> {
    const { durability, clock, log } = this.#options;
    if (durability.adminUrl === null || durability.allowsRelaxed) return;
    const url = new URL("v1/namespaces/default/config", durability.adminUrl);
    const end = new AbortController();
    void clock.sleep(this.#limits.signOfLifeMilliseconds, end.signal).then(() => end.abort());
    const ask = async (request: RequestInit): Promise<Response> => {
      const answer = await fetch(url, { ...request, signal: end.signal, redirect: "manual" });
      if (!answer.ok) throw new LibsqlError(`the admin interface answered ${answer.status}`, remoteCodes.refused);
      return answer;
    };
    try {
      const config = (await (await ask({})).json()) as Record<string, unknown>;
      const body = JSON.stringify({ ...config, durability_mode: "strong" });
      await ask({ method: "POST", headers: { "content-type": "application/json" }, body });
      log.info({}, "the database server was set to durability_mode strong");
    } catch (error) {
      log.warn({ err: error }, "the database server's durability_mode could not be set");
    } finally {
      end.abort();
    }
  }

  /** How many transactions others have committed. Ask only while no transaction of this client's own is open. */
  async foreignCommitCount(): Promise<bigint> {
    try {
      const answer = await this.execute(`SELECT serial FROM ${marksTable} WHERE process = '${everyone}'`);
      return BigInt((answer.rows[0]?.[0] as bigint | undefined) ?? 0n) - this.#committedCount;
    } catch (error) {
      if (isTableMissing(error)) return 0n;
      throw error;
    }
  }

  close(): void {
    this.#pipe.close();
  }

  async #commit(send: (marks: readonly Step[]) => Promise<PipelineAnswer>, beganAtMilliseconds: number): Promise<void> {
    this.#serial += 1n;
    const serial = this.#serial;
    const marks = [
      ...(this.#committedCount === 0n ? [inside({ sql: createMarksSql }), inside({ sql: forgetMarksSql })] : []),
      inside({ sql: markSql, args: [this.#process, serial] }),
      inside({ sql: "COMMIT" }),
    ];
    try {
      const answer = await send(marks);
      const failed = answer.steps.find((step) => step?.error !== undefined)?.error;
      if (failed) throw failed;
      const last = answer.steps.at(-1);
      if (!last?.result)
        throw new LibsqlError("The transaction was over before its COMMIT", remoteCodes.transactionOver);
    } catch (error) {
      if (!isLost(error)) throw error;
      await this.#findOut(serial, error, beganAtMilliseconds + this.#limits.commitMilliseconds);
    }
    this.#committedCount += 1n;
  }

  /** Returns where the lost COMMIT was done; throws REMOTE_NOT_COMMITTED, or REMOTE_COMMIT_UNKNOWN when the time is over. */
  async #findOut(serial: bigint, lost: unknown, untilMilliseconds: number): Promise<void> {
    const { clock, random, log } = this.#options;
    const cause = lost instanceof Error ? lost : undefined;
    log.warn({ err: lost }, "the answer to a COMMIT was lost; asking the database server what became of it");
    for (let attemptIndex = 0; ; attemptIndex++) {
      const leftMilliseconds = untilMilliseconds - clock.monotonicMilliseconds();
      if (leftMilliseconds <= 0) {
        throw new LibsqlError(
          "It is not known whether the COMMIT was done",
          remoteCodes.commitUnknown,
          undefined,
          undefined,
          cause,
        );
      }
      let isCommitted: boolean;
      try {
        isCommitted = await this.#isCommitted(serial, leftMilliseconds);
      } catch (error) {
        log.debug({ err: error }, "the database server does not tell yet what became of a COMMIT");
        await clock.sleep(
          backoffMilliseconds({
            attemptIndex,
            baseMilliseconds: resolveBaseMilliseconds,
            waitMillisecondsMax: resolveWaitMillisecondsMax,
            random,
          }),
        );
        continue;
      }
      log.info({ was_committed: isCommitted }, "what became of a lost COMMIT is known now");
      if (isCommitted) return;
      throw new LibsqlError("The COMMIT was not done", remoteCodes.notCommitted, undefined, undefined, cause);
    }
  }

  /** Under the write lock, so that the answer cannot change any more. */
  async #isCommitted(serial: bigint, timeoutMilliseconds: number): Promise<boolean> {
    const answer = await this.#pipe.send({
      baton: null,
      steps: [
        outside("BEGIN IMMEDIATE"),
        inside({ sql: `SELECT count(*) FROM sqlite_schema WHERE name = '${marksTable}'` }),
        inside({ sql: `SELECT serial FROM ${marksTable} WHERE process = ?`, args: [this.#process] }),
      ],
      close: true,
      timeoutMilliseconds,
    });
    resultAt(answer, 0);
    // No table: the very first COMMIT would have made it.
    if (resultAt(answer, 1).rows[0]?.[0] === 0n) return false;
    const known = resultAt(answer, 2).rows[0]?.[0];
    return known !== undefined && BigInt(known as bigint) >= serial;
  }
}

interface RemoteTransactionOptions {
  readonly pipe: RemotePipe;
  readonly answer: PipelineAnswer;
  readonly limits: RemoteLimits;
  readonly clock: Clock;
  readonly endsAtMilliseconds: number;
  readonly commit: (send: (marks: readonly Step[]) => Promise<PipelineAnswer>) => Promise<void>;
}

/** What only steers savepoints needs no answer of its own: it goes along with the next statement. */
const steering = /^\s*(SAVEPOINT|RELEASE|ROLLBACK TO) \w+\s*$/;

class RemoteTransaction implements DatabaseTransaction {
  readonly #options: RemoteTransactionOptions;
  #baton: string | null;
  #isClosed = false;
  /** Steering that is still to be sent. */
  #waiting: Step[] = [];
  /** One request at a time: each needs the answer before it. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: RemoteTransactionOptions) {
    this.#options = options;
    this.#baton = options.answer.baton;
    this.#isClosed = this.#baton === null || options.answer.isAutocommit;
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  execute(statement: InStatement): Promise<StatementResult> {
    return this.#inTurn(async () => {
      const steps = [...this.#waiting.splice(0), inside(statementOf(statement))];
      const answer = await this.#send(steps);
      for (const step of answer.steps.slice(0, -1)) if (!step?.result) throw this.#over(step?.error);
      const last = answer.steps.at(-1);
      if (last?.error) throw last.error;
      if (!last?.result) throw this.#over();
      return last.result;
    });
  }

  executeMultiple(script: string): Promise<void> {
    const pieces = script.split(";").filter((piece) => piece.trim() !== "");
    if (pieces.every((piece) => steering.test(piece))) {
      if (this.#isClosed) return Promise.reject(this.#over());
      for (const sql of pieces) this.#waiting.push(inside({ sql }));
      return Promise.resolve();
    }
    return this.#inTurn(async () => {
      const waiting = this.#waiting.splice(0);
      if (waiting.length > 0) {
        const before = await this.#send(waiting);
        if (before.steps.some((step) => !step?.result)) throw this.#over();
      }
      const answer = await this.#send([], script);
      if (answer.scriptError) throw answer.scriptError;
    });
  }

  commit(): Promise<void> {
    return this.#inTurn(async () => {
      const waiting = this.#waiting.splice(0);
      try {
        await this.#options.commit((marks) => this.#send([...waiting, ...marks], undefined, true));
      } finally {
        this.#isClosed = true;
      }
    });
  }

  close(): void {
    this.#isClosed = true;
    // After the request under way: a baton is good for one. Nobody waits: what is not closed in words the server ends itself.
    void this.#tail.then(() => this.#release()).catch(() => undefined);
  }

  async #release(): Promise<void> {
    const baton = this.#baton;
    this.#baton = null;
    if (baton === null) return;
    const timeoutMilliseconds = this.#options.limits.answerMilliseconds;
    await this.#options.pipe.send({ baton, close: true, timeoutMilliseconds, isFarewell: true });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#tail.then(() => {
      if (this.#isClosed) throw this.#over();
      return work();
    });
    this.#tail = mine.catch(() => undefined);
    return mine;
  }

  async #send(steps: readonly Step[], script?: string, close = false): Promise<PipelineAnswer> {
    const { pipe, limits, clock, endsAtMilliseconds } = this.#options;
    if (clock.monotonicMilliseconds() > endsAtMilliseconds) {
      this.close();
      throw this.#over();
    }
    const isLong = endsAtMilliseconds === Number.POSITIVE_INFINITY;
    const timeoutMilliseconds = isLong ? limits.answerMilliseconds * 10 : limits.answerMilliseconds;
    try {
      const asked = { baton: this.#baton, steps, close, timeoutMilliseconds };
      const answer = await pipe.send(script === undefined ? asked : { ...asked, script });
      this.#baton = answer.baton;
      if (answer.baton === null || answer.isAutocommit) this.#isClosed = true;
      return answer;
    } catch (error) {
      // Without the baton of the answer that did not come, nobody can go on on this stream.
      this.#isClosed = true;
      this.#baton = null;
      throw error;
    }
  }

  #over(cause?: Error): LibsqlError {
    this.close();
    return new LibsqlError("The transaction is over", remoteCodes.transactionOver, undefined, undefined, cause);
  }
}

function statementOf(statement: InStatement): RemoteStatement {
  if (typeof statement === "string") return { sql: statement };
  return {
    sql: statement.sql,
    args: statement.args as RemoteStatement["args"] as readonly RemoteArgument[] | undefined,
  };
}

/** A step's result; throws its error, or the error of whatever kept it from being run. */
function resultAt(answer: PipelineAnswer, index: number): StatementResult {
  for (const step of answer.steps.slice(0, index + 1)) if (step?.error) throw step.error;
  const result = answer.steps[index]?.result;
  if (result === undefined) throw new LibsqlError("A statement was not run", remoteCodes.transactionOver);
  return result;
}

/** Did the COMMIT fail in a way that leaves open whether it was done? */
function isLost(error: unknown): boolean {
  const code = databaseCode(error);
  return code !== remoteCodes.transactionOver && !isCertainlyUndone(error);
}

const synchronousSql = "SELECT synchronous FROM pragma_synchronous";

export type Durability = "strong" | "relaxed" | "unknown";

/** From SQLite's own switch: 2 (FULL) and 3 (EXTRA) sync each commit. */
function durabilityOf(result: StatementResult | undefined): Durability {
  const level = result?.rows[0]?.[0];
  if (typeof level !== "bigint") return "unknown";
  return level >= 2n ? "strong" : "relaxed";
}

function durabilityRelaxed(): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "DATABASE_DURABILITY_RELAXED",
    detail: "The database server may lose what it has acknowledged when its machine loses power.",
    hint: 'Set durability_mode to "strong" through the server\'s admin interface after each of its starts, name that interface in BSOPT_DATABASE_ADMIN_URL so that it is done by itself, or take the loss with BSOPT_DATABASE_DURABILITY=relaxed.',
    retryAfterSeconds: 2,
  });
}

function isTableMissing(error: unknown): boolean {
  return error instanceof LibsqlError && error.message.includes(`no such table: ${marksTable}`);
}
