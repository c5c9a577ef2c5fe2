// The words spoken with a libSQL server: Hrana 3 as JSON over HTTP, one pipeline a request. Separate from the client
// over it because this half only carries: it knows values, deadlines and errors, and nothing of transactions. The
// driver's own HTTP client is not used: it speaks Hrana 2, which cannot say "only while a transaction is open", has
// no deadline, and needs one more round trip for each savepoint.
//
// Source: the protocol's specification, HRANA_3_SPEC.md of the libSQL server, sections "Hrana over HTTP" and "JSON".

import { LibsqlError } from "@libsql/client/sqlite3";
import type { Clock } from "../foundation/clock";
import type { StatementResult } from "./database-client";

export interface RemoteAddress {
  /** http: or https:, ending in a slash. */
  readonly url: string;
  /** Sent as a bearer token; null where the server asks for none. A secret. */
  readonly authToken: string | null;
}

/** Codes of what the network or the server itself failed with, beside SQLite's own. */
export const remoteCodes = {
  /** Nobody knows whether the server has got or done what was sent. */
  unreachable: "REMOTE_UNREACHABLE",
  /** The server said no before it did anything: a wrong token, a wrong address. */
  refused: "REMOTE_REFUSED",
  /** A COMMIT was lost, and it is certain now that nothing of it was kept. */
  notCommitted: "REMOTE_NOT_COMMITTED",
  /** A COMMIT was lost, and the time to find out is over. */
  commitUnknown: "REMOTE_COMMIT_UNKNOWN",
  /** The transaction is over and undone: the server or the time ended it. */
  transactionOver: "REMOTE_TRANSACTION_OVER",
} as const;

export type RemoteArgument = null | string | number | bigint | boolean | ArrayBuffer | Uint8Array | Date;

export interface RemoteStatement {
  readonly sql: string;
  readonly args?: readonly RemoteArgument[] | Readonly<Record<string, RemoteArgument>> | undefined;
}

type Condition =
  | { readonly type: "ok"; readonly step: number }
  | { readonly type: "is_autocommit" }
  | { readonly type: "not"; readonly cond: Condition }
  | { readonly type: "and"; readonly conds: readonly Condition[] };

export interface Step extends RemoteStatement {
  /** Run only where the step before went well. The first of a pipeline has none before it. */
  readonly afterPrevious: boolean;
  /** Run only inside an open transaction. */
  readonly insideTransaction: boolean;
}

/** How each step went: its result, its error, or null where it was not run. */
export type StepOutcome =
  | { readonly result: StatementResult; readonly error?: undefined }
  | { readonly error: LibsqlError; readonly result?: undefined }
  | null;

export interface PipelineAnswer {
  readonly baton: string | null;
  readonly steps: readonly StepOutcome[];
  /** The script's error, where one was sent. */
  readonly scriptError: LibsqlError | null;
  /** No transaction is open on the stream any more. */
  readonly isAutocommit: boolean;
}

export interface PipelineRequest {
  /** The open stream, or null for a new one. */
  readonly baton: string | null;
  readonly steps?: readonly Step[];
  /** Several statements in one text, run after the steps. */
  readonly script?: string;
  /** Close the stream at the end. */
  readonly close: boolean;
  readonly timeoutMilliseconds: number;
  /** Sent even while the pipe closes: what gives a lock back. */
  readonly isFarewell?: boolean;
}

/** Longest answer taken; the server's own limit is 10 MB. */
const answerBytesMax = 32 * 1024 * 1024;

/** Sends pipelines to one server. Each is bounded in time; requests under way at once are bounded in number. */
export class RemotePipe {
  readonly #address: RemoteAddress;
  readonly #clock: Clock;
  readonly #requestsMax: number;
  readonly #closed = new AbortController();
  #requestCount = 0;

  constructor(options: { readonly address: RemoteAddress; readonly clock: Clock; readonly requestsMax: number }) {
    this.#address = options.address;
    this.#clock = options.clock;
    this.#requestsMax = options.requestsMax;
  }

  /** One round trip. Throws LibsqlError REMOTE_UNREACHABLE (then nobody knows what was done) or REMOTE_REFUSED. */
  async send(request: PipelineRequest): Promise<PipelineAnswer> {
    const { baton, steps = [], script, close } = request;
    const requests: unknown[] = [];
    if (steps.length > 0) requests.push({ type: "batch", batch: { steps: steps.map(encodeStep) } });
    if (script !== undefined) requests.push({ type: "sequence", sql: script });
    requests.push({ type: "get_autocommit" });
    if (close) requests.push({ type: "close" });
    const answer = await this.#post({ baton, requests }, request);
    const { results } = answer;
    if (!Array.isArray(results) || results.length !== requests.length) throw unreadable();
    let index = 0;
    const outcomes = steps.length > 0 ? decodeBatch(results[index++], steps.length) : [];
    const scriptError = script === undefined ? null : errorOf(results[index++]);
    const autocommit = results[index] as { response?: { is_autocommit?: unknown } };
    return {
      baton: typeof answer.baton === "string" ? answer.baton : null,
      steps: outcomes,
      scriptError,
      isAutocommit: autocommit.response?.is_autocommit !== false,
    };
  }

  /** Ends what is under way and refuses what comes later. */
  close(): void {
    this.#closed.abort();
  }

  async #post(
    body: unknown,
    { timeoutMilliseconds, isFarewell = false }: PipelineRequest,
  ): Promise<{ baton?: unknown; results?: unknown }> {
    if (this.#closed.signal.aborted && !isFarewell) throw new LibsqlError("The client is closed", "CLIENT_CLOSED");
    if (this.#requestCount >= this.#requestsMax) {
      throw new LibsqlError("Too many requests to the database server are under way", remoteCodes.unreachable);
    }
    this.#requestCount += 1;
    const end = new AbortController();
    const onClose = () => end.abort();
    if (!isFarewell) this.#closed.signal.addEventListener("abort", onClose, { once: true });
    // The race settles even where aborting the request does not.
    const timeUp = this.#clock.sleep(timeoutMilliseconds, end.signal).then(() => {
      throw new LibsqlError("The database server did not answer in time", remoteCodes.unreachable);
    });
    timeUp.catch(() => undefined);
    try {
      return await Promise.race([this.#fetch(JSON.stringify(body), end.signal), timeUp]);
    } catch (error) {
      if (error instanceof LibsqlError) throw error;
      const cause = error instanceof Error ? error : undefined;
      throw new LibsqlError(
        "The database server cannot be reached",
        remoteCodes.unreachable,
        undefined,
        undefined,
        cause,
      );
    } finally {
      this.#closed.signal.removeEventListener("abort", onClose);
      end.abort();
      this.#requestCount -= 1;
    }
  }

  async #fetch(body: string, signal: AbortSignal): Promise<{ baton?: unknown; results?: unknown }> {
    const { url, authToken } = this.#address;
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (authToken !== null) headers.authorization = `Bearer ${authToken}`;
    const response = await fetch(new URL("v3/pipeline", url), {
      method: "POST",
      headers,
      body,
      signal,
      redirect: "manual",
    });
    const text = await readBounded(response);
    if (response.ok) return JSON.parse(text) as { baton?: unknown; results?: unknown };
    // 400 may be the server's second sight of a request whose first answer was lost: nothing is certain then.
    const isRefusal = [401, 403, 404, 405, 301, 302, 307, 308].includes(response.status);
    throw new LibsqlError(
      `The database server answered ${response.status}`,
      isRefusal ? remoteCodes.refused : remoteCodes.unreachable,
    );
  }
}

async function readBounded(response: Response): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let byteCount = 0;
  for await (const chunk of response.body) {
    byteCount += chunk.byteLength;
    if (byteCount > answerBytesMax) throw unreadable();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function unreadable(): LibsqlError {
  return new LibsqlError("The database server's answer cannot be read", remoteCodes.unreachable);
}

function encodeStep(step: Step, index: number): unknown {
  const conditions: Condition[] = [];
  if (step.afterPrevious && index > 0) conditions.push({ type: "ok", step: index - 1 });
  if (step.insideTransaction) conditions.push({ type: "not", cond: { type: "is_autocommit" } });
  return {
    ...(conditions.length > 0 && { condition: { type: "and", conds: conditions } }),
    stmt: encodeStatement(step),
  };
}

function encodeStatement({ sql, args = [] }: RemoteStatement): unknown {
  if (Array.isArray(args)) return { sql, args: args.map(encodeValue), want_rows: true };
  const named = Object.entries(args as Record<string, RemoteArgument>);
  return { sql, named_args: named.map(([name, value]) => ({ name, value: encodeValue(value) })), want_rows: true };
}

function encodeValue(value: RemoteArgument): unknown {
  if (value === null || value === undefined) return { type: "null" };
  if (typeof value === "bigint")
    return { type: "integer", value: BigInt.asIntN(64, value) === value ? `${value}` : tooLarge(value) };
  if (typeof value === "boolean") return { type: "integer", value: value ? "1" : "0" };
  if (typeof value === "string") return { type: "text", value };
  if (value instanceof Date) return { type: "float", value: value.valueOf() };
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new RangeError("Only finite numbers can be stored");
    return { type: "float", value };
  }
  return { type: "blob", base64: Buffer.from(value as Uint8Array).toString("base64") };
}

function tooLarge(value: bigint): never {
  throw new RangeError(`the integer ${value} does not fit 64 bits`);
}

function decodeBatch(result: unknown, stepCount: number): StepOutcome[] {
  const whole = errorOf(result);
  if (whole !== null) throw whole;
  const { step_results, step_errors } =
    (result as { response?: { result?: { step_results?: unknown[]; step_errors?: unknown[] } } }).response?.result ??
    {};
  if (step_results?.length !== stepCount || step_errors?.length !== stepCount) throw unreadable();
  return step_results.map((found, index) => {
    const error = step_errors[index];
    if (error) return { error: decodeError(error) };
    return found ? { result: decodeResult(found as WireResult) } : null;
  });
}

function errorOf(result: unknown): LibsqlError | null {
  const { type, error } = result as { type?: unknown; error?: unknown };
  if (type === "ok") return null;
  return error ? decodeError(error) : unreadable();
}

/** The server tells SQLite's primary code and its message; which constraint it was stands in the message alone. */
function decodeError(error: unknown): LibsqlError {
  const { message = "", code = "" } = error as { message?: string; code?: string };
  const text = String(message).replace(/^SQLite error: /, "");
  const primary = String(code);
  if (primary === "TRANSACTION_TIMEOUT" || primary === "TRANSACTION_BUSY" || primary === "STREAM_EXPIRED") {
    return new LibsqlError(text, remoteCodes.transactionOver);
  }
  return new LibsqlError(text, primary, extendedCode(primary, text));
}

function extendedCode(primary: string, message: string): string | undefined {
  if (primary !== "SQLITE_CONSTRAINT") return undefined;
  const kind = /^(UNIQUE|FOREIGN KEY|CHECK|NOT NULL) constraint failed/.exec(message)?.[1];
  return kind === undefined ? undefined : `SQLITE_CONSTRAINT_${kind.replace(" ", "")}`;
}

interface WireResult {
  readonly cols: readonly { readonly name: string | null; readonly decltype?: string | null }[];
  readonly rows: readonly (readonly WireValue[])[];
  readonly affected_row_count: number;
  readonly last_insert_rowid: string | null;
}

interface WireValue {
  readonly type: string;
  readonly value?: string | number;
  readonly base64?: string;
}

/** The driver's own shape: a row's values by index, hidden, and by name; integers as bigint. */
function decodeResult(wire: WireResult): StatementResult {
  const columns = wire.cols.map(({ name }) => name ?? "");
  const columnTypes = wire.cols.map(({ decltype }) => decltype ?? "");
  const rows = wire.rows.map((values) => {
    const row = {};
    Object.defineProperty(row, "length", { value: values.length });
    for (const [index, wireValue] of values.entries()) {
      const value = decodeValue(wireValue);
      Object.defineProperty(row, index, { value });
      const column = columns[index]!;
      if (!Object.hasOwn(row, column)) {
        Object.defineProperty(row, column, { value, enumerable: true, configurable: true, writable: true });
      }
    }
    return row as StatementResult["rows"][number];
  });
  const lastInsertRowid = wire.last_insert_rowid === null ? undefined : BigInt(wire.last_insert_rowid);
  const rowsAffected = wire.affected_row_count;
  return {
    columns,
    columnTypes,
    rows,
    rowsAffected,
    lastInsertRowid,
    toJSON: () => ({ columns, columnTypes, rows, rowsAffected, lastInsertRowid: lastInsertRowid?.toString() }),
  };
}

function decodeValue({ type, value, base64 }: WireValue): null | string | number | bigint | ArrayBuffer {
  switch (type) {
    case "null":
      return null;
    case "integer":
      return BigInt(value as string);
    case "float":
      return Number(value);
    case "text":
      return value as string;
    case "blob":
      return new Uint8Array(Buffer.from(base64 ?? "", "base64")).buffer;
    default:
      throw unreadable();
  }
}
