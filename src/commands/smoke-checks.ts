// What `bsopt smoke` asks and what it expects, a check each. Separate from the command, which only runs them and tells. Known values come
// from the formula, not from a server; formats are read by the readers of this very program.

import { readTable, writeTable } from "../adapters/tabular/formats";
import { fileLimits, type ReadTable, type TableColumn, type TableFormat } from "../adapters/tabular/table";
import { wireFormats } from "../adapters/tabular/wire-table";
import { type Answer, type ServerClient, shownAnswer } from "./server-client";

/** A check that found something wrong. */
export class SmokeFault extends Error {
  override readonly name = "SmokeFault";
}

/** What one check leaves for the next. */
export interface SmokeState {
  /** Paths of the server's document; null until it was read. */
  document: Readonly<Record<string, unknown>> | null;
}

export interface SmokeCheck {
  readonly name: string;
  /** It means nothing without a key. */
  readonly isKeyed: boolean;
  /** Gives what it found in a few words. Throws SmokeFault where that is not as it should be. */
  run(client: ServerClient, state: SmokeState): Promise<string | { status: "skipped" | "not_offered"; detail: string }>;
}

const option = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  volatility: 0.2,
};
/** Its price, by the formula at 50 digits, and how far an engine may be off: 1e-15 of the larger of spot and strike. */
export const knownPrice = 3.9656959945341868;
export const knownPriceErrorMax = 1.05e-13;
/** An implied volatility's bound, in units of the error that the answer says can be attained at all. */
const attainableErrorsMax = 4;

const rows = { strikes: [90, 95, 100, 105, 110], types: ["call", "put", "call", "put", "call"] };

/** All of them, in their order. */
export const smokeChecks: readonly SmokeCheck[] = [
  open("health", async (client) => {
    const answer = await expectStatus(client.ask({ path: "/health" }), 200);
    if (text(answer, "status") !== "ok") throw new SmokeFault("does not say ok");
    await expectStatus(client.ask({ path: "/liveness" }), 200);
    return "ok";
  }),
  open("readiness", async (client) => {
    const answer = await client.ask({ path: "/readiness" });
    const checks = ((answer.json ?? {}) as { checks?: { component: string; status: string }[] }).checks ?? [];
    const ill = checks.filter(({ status }) => status !== "ok").map(({ component, status }) => `${component} ${status}`);
    if (answer.status !== 200) throw new SmokeFault([shownAnswer(answer), ...ill].join(", "));
    return ill.length > 0
      ? `ready, but ${ill.join(", ")}`
      : `ready: ${checks.map(({ component }) => component).join(", ")}`;
  }),
  keyed("status", async (client) => {
    const answer = await expectStatus(client.ask({ path: "/api/v1/status", withKey: true }), 200);
    const { version, uptime_seconds: uptime } = answer.json as Record<string, unknown>;
    if (typeof version !== "string" || typeof uptime !== "number") throw new SmokeFault("names no version or uptime");
    return `version ${version}, up for ${Math.floor(uptime)} s`;
  }),
  open("metrics", async (client) => {
    const answer = await client.ask({ path: "/metrics", withKey: true });
    if (answer.status === 401 || answer.status === 403)
      return { status: "skipped", detail: "not open to this address and key" };
    await expectStatus(answer, 200);
    const count = [...words(answer).matchAll(/^http_requests_total\{/gm)].length;
    if (count === 0) throw new SmokeFault("has no http_requests_total");
    return `${count} series of http_requests_total`;
  }),
  open("documents", async (client, state) => {
    const answer = await expectStatus(client.ask({ path: "/openapi.json" }), 200);
    const document = (answer.json ?? {}) as { openapi?: unknown; paths?: Record<string, unknown> };
    if (typeof document.openapi !== "string" || !document.openapi.startsWith("3.1") || !document.paths)
      throw new SmokeFault("/openapi.json is no OpenAPI 3.1 document");
    state.document = document.paths;
    const page = await expectStatus(client.ask({ path: "/docs" }), 200);
    if (!page.headers.get("content-type")?.startsWith("text/html")) throw new SmokeFault("/docs is no page");
    return `OpenAPI ${document.openapi}, ${Object.keys(document.paths).length} paths`;
  }),
  keyed("price", async (client) => {
    const price = numberIn(await post(client, "price", { ...option, outputs: ["price"] }), "price");
    if (Math.abs(price - knownPrice) > knownPriceErrorMax) throw new SmokeFault(`${price}, and it is ${knownPrice}`);
    return `${price}`;
  }),
  keyed("implied volatility", async (client) => {
    const price = numberIn(await post(client, "price", { ...option, outputs: ["price"] }), "price");
    const { volatility, ...inputs } = option;
    const answer = await post(client, "implied-volatility", { ...inputs, price });
    const found = numberIn(answer, "implied_volatility");
    const bound = attainableErrorsMax * numberIn(answer, "attainable_error") * volatility;
    if (!(Math.abs(found - volatility) <= bound)) throw new SmokeFault(`${found}, and it was ${volatility}`);
    return `${found} from the price of ${volatility}`;
  }),
  ...(["json", "csv", "ndjson", "arrow"] as const).map((format) =>
    keyed(`batch as ${format}`, async (client) => {
      const prices = format === "json" ? await jsonBatch(client) : await tableBatch(client, format);
      for (const [row, strike] of rows.strikes.entries()) {
        const single = { ...option, strike, option_type: rows.types[row], outputs: ["price"] };
        const price = numberIn(await post(client, "price", single), "price");
        if (prices[row] !== price) throw new SmokeFault(`row ${row + 1} is ${prices[row]}, alone it is ${price}`);
      }
      return `${prices.length} rows, each as it is alone`;
    }),
  ),
  open("no key", async (client) => {
    const asked = client.ask({ method: "POST", path: "/api/v1/pricing/price", body: JSON.stringify(option) });
    return problemOf(await expectStatus(asked, 401));
  }),
  keyed("a bad body", async (client) => {
    const body = JSON.stringify({ ...option, strike: null });
    const answer = await expectStatus(
      client.ask({ method: "POST", path: "/api/v1/pricing/price", withKey: true, body }),
      422,
    );
    const [fault] = ((answer.json ?? {}) as { errors?: { pointer?: string }[] }).errors ?? [];
    if (fault?.pointer !== "/strike") throw new SmokeFault("does not point to what is wrong");
    return problemOf(answer);
  }),
  offered("websocket", "/api/v1/ws"),
  offered("test order", "/api/v1/orders"),
];

function open(name: string, run: SmokeCheck["run"]): SmokeCheck {
  return { name, isKeyed: false, run };
}

function keyed(name: string, run: SmokeCheck["run"]): SmokeCheck {
  return { name, isKeyed: true, run };
}

/** Something that this version cannot try; a server that has it must not pass for one that was tried. */
function offered(name: string, path: string): SmokeCheck {
  return open(name, async (_, { document }) => {
    if (document === null) return { status: "skipped", detail: "the document could not be read" };
    if (!(path in document)) return { status: "not_offered", detail: "not in the server's document" };
    return { status: "skipped", detail: `the server has ${path}, which this version cannot try` };
  });
}

async function expectStatus(asked: Answer | Promise<Answer>, status: number): Promise<Answer> {
  const answer = await asked;
  if (answer.status !== status) throw new SmokeFault(`${shownAnswer(answer)}, not ${status}`);
  return answer;
}

async function post(client: ServerClient, path: string, body: object): Promise<Answer> {
  const asked = { method: "POST", path: `/api/v1/pricing/${path}`, withKey: true, body: JSON.stringify(body) } as const;
  return expectStatus(client.ask(asked), 200);
}

async function jsonBatch(client: ServerClient): Promise<ArrayLike<number>> {
  const columns = { strike: rows.strikes, option_type: rows.types };
  const answer = await post(client, "batch", { ...option, ...columns, outputs: ["price"] });
  const { price } = answer.json as { price?: unknown };
  if (!Array.isArray(price) || price.length !== rows.strikes.length) throw new SmokeFault("has no price a row");
  return price as number[];
}

/** The same rows as a table, there and back. */
async function tableBatch(client: ServerClient, format: Exclude<TableFormat, "json">): Promise<ArrayLike<number>> {
  const { model, volatility, strike: _strike, option_type: _type, ...rest } = option;
  const numbers = { ...rest, volatility };
  const columns: TableColumn[] = [
    { name: "option_type", kind: "text", values: rows.types },
    { name: "strike", kind: "number", values: Float64Array.from(rows.strikes) },
    ...Object.entries(numbers).map(([name, value]) => ({
      name,
      kind: "number" as const,
      values: new Float64Array(rows.strikes.length).fill(value),
    })),
  ];
  const parts = [...writeTable(format, { count: rows.strikes.length, columns }, {})];
  const body = new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array))));
  const media = wireFormats[format];
  const path = `/api/v1/pricing/batch?model=${model}&outputs=price`;
  const asked = client.ask({ method: "POST", path, withKey: true, body, type: media, accept: media });
  const answer = await expectStatus(asked, 200);
  const found = answer.headers.get("content-type");
  if (!found?.startsWith(media)) throw new SmokeFault(`answers as ${found}`);
  return pricesOf(
    await readTable(format, whole(answer.bytes), "the answer", { price: "number", status: "number" }, fileLimits),
  );
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function pricesOf(table: ReadTable): ArrayLike<number> {
  const column = table.columns.find(({ name }) => name === "price");
  if (column?.kind !== "number" || table.count !== rows.strikes.length) throw new SmokeFault("has no price a row");
  return column.values;
}

function words({ bytes }: Answer): string {
  return new TextDecoder().decode(bytes);
}

function text({ json }: Answer, name: string): unknown {
  return ((json ?? {}) as Record<string, unknown>)[name];
}

function numberIn(answer: Answer, name: string): number {
  const value = text(answer, name);
  if (typeof value !== "number") throw new SmokeFault(`has no number ${name}`);
  return value;
}

function problemOf(answer: Answer): string {
  const code = text(answer, "code");
  if (typeof code !== "string") throw new SmokeFault(`answers ${answer.status} without a problem's code`);
  return `refused with ${answer.status} ${code}`;
}
