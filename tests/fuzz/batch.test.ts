// Ten thousand random malformed batches through the whole server, in every format: wrong lengths, types, names, NaN, nesting,
// cut and flipped bytes, broken and bloated compression. Nothing crashes, nothing is a fault of the server, every
// refusal is a problem document; and where one known thing was changed, the fault points right there.

import { afterAll, expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { columnFromArray, dictionary, float64, tableFromColumns, tableToIPC, utf8 } from "@uwdata/flechette";
import { seededRandom } from "../../src/foundation/random";
import { requestFor } from "../harness/http";
import { openPricing } from "../harness/pricing";

const caseCount = 10_000;
const seed = 20_260_401n;
const model = "black_scholes_merton";
const { server } = openPricing({
  batchBytesMax: 300_000,
  tableBytesMax: 300_000,
  tableRowsMax: 1000,
  batchRowsMax: 1000,
});
afterAll(() => server.close());

const random = seededRandom(seed);
const below = (count: number) => Math.floor(random.unit() * count);
const pick = <T>(items: readonly T[]): T => items[below(items.length)]!;

const types = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv",
  arrow: "application/vnd.apache.arrow.stream",
} as const;
type Format = keyof typeof types;
const formats = Object.keys(types) as Format[];
const numberNames = ["spot", "strike", "time_to_expiry", "rate", "volatility"] as const;
type Columns = Record<string, unknown[]>;

function goodColumns(): Columns {
  const count = 1 + below(6);
  const numbers = () => Array.from({ length: count }, () => 0.1 + random.unit());
  return {
    option_type: Array.from({ length: count }, () => pick(["call", "put"])),
    ...Object.fromEntries(numberNames.map((name) => [name, numbers()])),
  };
}

/** What is sent, and where its one fault must be told: a pointer, null where no place is known, undefined where it may be right. */
interface Case {
  readonly what: string;
  readonly format: Format;
  readonly body: Uint8Array | string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly pointer?: string | null;
  readonly status?: number;
}

const rowsOf = (columns: Columns) =>
  Array.from({ length: Math.max(...Object.values(columns).map((column) => column.length)) }, (_, row) =>
    Object.fromEntries(
      Object.entries(columns).flatMap(([name, column]) => (row < column.length ? [[name, column[row]]] : [])),
    ),
  );

function written(format: Format, columns: Columns): Uint8Array | string {
  switch (format) {
    case "json":
      return JSON.stringify({ model, ...columns });
    case "ndjson":
      return rowsOf(columns)
        .map((row) => JSON.stringify(row))
        .join("\n");
    case "csv":
      return [Object.keys(columns), ...rowsOf(columns).map((row) => Object.values(row))]
        .map((cells) => cells.join(","))
        .join("\n");
    case "arrow": {
      const fields = Object.entries(columns).map(([name, values]): [string, ReturnType<typeof columnFromArray>] => {
        const isText = values.some((value) => typeof value === "string");
        return [name, columnFromArray(values, isText ? pick([utf8(), dictionary(utf8())]) : float64())];
      });
      return tableToIPC(tableFromColumns(fields), { format: "stream" })!;
    }
  }
}

const bytesOf = (body: Uint8Array | string) =>
  typeof body === "string" ? new TextEncoder().encode(body) : body.slice();

/** One known thing is wrong, and there is one place to tell it. */
const known: readonly (() => Case)[] = [
  function unknownColumn() {
    const format = pick(formats);
    const columns = goodColumns();
    const name = `x${below(1000)}`;
    return {
      what: "unknown column",
      format,
      body: written(format, { ...columns, [name]: columns.spot! }),
      pointer: `/${name}`,
    };
  },
  function missingColumn() {
    const format = pick(formats);
    const name = pick(["option_type", ...numberNames]);
    const { [name]: _, ...rest } = goodColumns();
    return { what: `no ${name}`, format, body: written(format, rest), pointer: `/${name}` };
  },
  function wrongType() {
    const format = pick(["json", "ndjson", "csv"] as const);
    const columns = goodColumns();
    const name = pick(numberNames);
    const row = below(columns.spot!.length);
    columns[name]![row] =
      format === "csv" ? pick(["x", "1;2", "--1", "0x1", "true"]) : pick([null, "1", true, [], {}, [[1]]]);
    return { what: "wrong type", format, body: written(format, columns), pointer: `/${name}/${row}` };
  },
  function wrongWord() {
    const format = pick(formats);
    const columns = goodColumns();
    const row = below(columns.spot!.length);
    columns.option_type![row] = pick(["Call", "straddle", "c", "calls"]);
    return { what: "wrong word", format, body: written(format, columns), pointer: `/option_type/${row}` };
  },
  function wrongLength() {
    const columns = goodColumns();
    const name = pick(numberNames);
    columns[name]!.push(1);
    return { what: "wrong length", format: "json", body: written("json", columns), pointer: `/${name}` };
  },
  function shortRow() {
    const columns = goodColumns();
    const row = below(columns.spot!.length);
    const lines = (written("csv", columns) as string).split("\n");
    lines[row + 1] = lines[row + 1]!.split(",").slice(0, -1).join(",");
    return { what: "short row", format: "csv", body: lines.join("\n"), pointer: `/volatility/${row}` };
  },
  function badMoment() {
    const format = pick(formats);
    const { time_to_expiry: _, ...columns } = goodColumns();
    const row = below(columns.spot!.length);
    columns.expiry = columns.spot!.map(() => "2030-01-01T00:00:00Z");
    columns.expiry[row] = pick(["2030-01-01", "soon", "2030-13-01T00:00:00Z", "2030-01-01T00:00:00"]);
    const isOne = format !== "json" && columns.expiry.length === 1;
    return {
      what: "bad moment",
      format,
      body: written(format, columns),
      pointer: isOne ? "/expiry" : `/expiry/${row}`,
    };
  },
  function badParameter() {
    const name = pick(["units", "outputs", "day_count", "format", "inputs_hash", "sport"]);
    const format = pick(["csv", "ndjson", "arrow"] as const);
    return {
      what: `bad ${name}`,
      format,
      body: written(format, goodColumns()),
      query: `${name}=x${below(99)}`,
      pointer: `/query/${name}`,
    };
  },
  function tooManyRows() {
    const format = pick(formats);
    const columns = goodColumns();
    for (const [name, [first]] of Object.entries(columns)) columns[name] = new Array(1001).fill(first);
    return { what: "too many rows", format, body: written(format, columns), pointer: null, status: 422 };
  },
];

const nested = (depth: number) =>
  pick([`${"[".repeat(depth)}${"]".repeat(depth)}`, `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`]);

/** Anything may be wrong, or nothing. */
const wild: readonly (() => Case)[] = [
  function cutBytes() {
    const format = pick(formats);
    const body = bytesOf(written(format, goodColumns()));
    return { what: "cut", format, body: body.subarray(0, below(body.length)) };
  },
  function flippedBytes() {
    const format = pick(formats);
    const body = bytesOf(written(format, goodColumns()));
    for (let count = 1 + below(4); count > 0; count--) body[below(body.length)] = below(256);
    return { what: "flipped", format, body };
  },
  function arrowLengths() {
    const body = bytesOf(written("arrow", goodColumns()));
    const view = new DataView(body.buffer);
    for (let count = 1 + below(3); count > 0; count--) {
      const at = below(body.length - 8) & ~3;
      if (random.unit() < 0.5)
        view.setInt32(at, pick([-1, 0, 1, 2 ** 31 - 1, -(2 ** 31), body.length, below(1000)]), true);
      else view.setBigInt64(at, pick([-1n, 2n ** 62n, 2n ** 32n, BigInt(below(10_000))]), true);
    }
    return { what: "Arrow lengths", format: "arrow", body };
  },
  function piecesRepeated() {
    const format = pick(formats);
    const body = bytesOf(written(format, goodColumns()));
    const from = below(body.length);
    const part = body.subarray(from, from + below(200));
    return {
      what: "repeated",
      format,
      body: Buffer.concat([body.subarray(0, below(body.length)), part, body.subarray(from)]),
    };
  },
  function nesting() {
    const depth = pick([2, 31, 33, 1000, 50_000]);
    const format = pick(["json", "ndjson"] as const);
    return {
      what: "nesting",
      format,
      body: pick([nested(depth), `{"strike":${nested(depth)}}`, `{"options":[${nested(depth)}]}`]),
    };
  },
  function oddValues() {
    const text = (written("json", goodColumns()) as string).replace(/0\.\d+/g, (number) =>
      random.unit() < 0.3
        ? pick(["NaN", "1e999", "-1e999", "-0", "1e-400", "null", '"1"', "Infinity", "00", ".5"])
        : number,
    );
    return { what: "odd values", format: "json", body: text };
  },
  function noise() {
    const body = Uint8Array.from({ length: below(300) }, () => below(256));
    return { what: "noise", format: pick(formats), body };
  },
  function wrongFormat() {
    return { what: "wrong format", format: pick(formats), body: written(pick(formats), goodColumns()) };
  },
  function brokenCoding() {
    const format = pick(formats);
    const coding = pick(["gzip", "zstd"] as const);
    const body = new Uint8Array((coding === "gzip" ? gzipSync : zstdCompressSync)(written(format, goodColumns())));
    if (random.unit() < 0.5) body[below(body.length)] = below(256);
    return {
      what: "broken coding",
      format,
      body: body.subarray(0, random.unit() < 0.5 ? body.length : below(body.length)),
      headers: { "content-encoding": pick([coding, coding, "gzip", "zstd", "br", "gzip, zstd"]) },
    };
  },
  function rowsOfJson() {
    const options = rowsOf(goodColumns()).map((row) => ({ model, ...row }) as Record<string, unknown>);
    const row = pick(options);
    row[pick([...Object.keys(row), "units", "x"])] = pick([null, "call", 1, [], {}, "black_76", -1]);
    return { what: "rows", format: "json", body: JSON.stringify({ options }) };
  },
];

const bombs = (["gzip", "zstd"] as const).map((coding) => ({
  coding,
  body: new Uint8Array((coding === "gzip" ? gzipSync : zstdCompressSync)(new Uint8Array(20_000_000))),
}));

function bomb(): Case {
  const { coding, body } = pick(bombs);
  return {
    what: `bomb ${coding}`,
    format: pick(formats),
    body,
    headers: { "content-encoding": coding },
    pointer: null,
    status: 413,
  };
}

test(`S2.14 S2.35 ${caseCount} malformed batches: no crash, no 5xx, a problem with its place (seed ${seed})`, async () => {
  const statuses = new Map<number, number>();
  for (let index = 0; index < caseCount; index++) {
    const made = index % 500 === 499 ? bomb() : pick(index % 2 === 0 ? known : wild)();
    const { what, format, body, query = "", headers = {}, pointer, status } = made;
    const path = pick(["batch", "batch", "implied-volatility/batch"]);
    const isPriced = path === "batch";
    const target = `/api/v1/pricing/${isPriced || pointer === undefined ? path : "batch"}?${format === "json" ? "" : `model=${model}&`}${query}`;
    const request = requestFor("POST", target, {
      key: "viewer",
      body,
      headers: { "content-type": types[format], ...headers },
    });
    const response = await server.server.handle(request);
    const told = [index, what, format, response.status] as const;
    const text = await response.text();
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    if (response.status === 200) {
      // Only what is not known to be wrong may turn out right.
      expect([...told, pointer]).toEqual([...told, undefined]);
      continue;
    }
    const problem = JSON.parse(text) as {
      status: number;
      error: string;
      detail: string;
      errors: { pointer: string }[];
    };
    if (![400, 411, 413, 415, 422].includes(response.status)) throw new Error(`${told}: ${text}`);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect([problem.status, problem.error]).toEqual([response.status, problem.detail]);
    expect(text).not.toContain("    at ");
    if (status !== undefined) expect([...told.slice(0, 3), response.status]).toEqual([...told.slice(0, 3), status]);
    if (pointer) {
      const pointers = problem.errors.map((fault) => fault.pointer);
      if (response.status !== 422 || !pointers.includes(pointer))
        throw new Error(`${told}: ${pointer} is not in ${text}`);
    }
  }
  // Each kind of answer was seen, so that none of the above was empty.
  for (const status of [200, 400, 413, 415, 422])
    expect([status, (statuses.get(status) ?? 0) > 15]).toEqual([status, true]);
}, 60_000);
