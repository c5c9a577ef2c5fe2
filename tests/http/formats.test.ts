// Batches in every format, both ways: the same numbers whichever way they come and go, what each says beside them, which
// is chosen, compression, limits, and where a fault is told to be. Arrow is written and read by flechette here.

import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import {
  columnFromArray,
  dictionary,
  float64,
  tableFromColumns,
  tableFromIPC,
  tableToIPC,
  utf8,
} from "@uwdata/flechette";
import { requestFor } from "../harness/http";
import { openPricing } from "../harness/pricing";

const { server, engine } = openPricing();
afterAll(() => server.close());

const batch = "/api/v1/pricing/batch";
const volatilityBatch = "/api/v1/pricing/implied-volatility/batch";
const types = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv",
  arrow: "application/vnd.apache.arrow.stream",
} as const;
type Format = keyof typeof types;
const formats = Object.keys(types) as Format[];

type Row = Readonly<Record<string, number | string>>;
const model = "black_scholes_merton";

const rows: readonly Row[] = Array.from({ length: 40 }, (_, index) => ({
  option_type: index % 3 === 0 ? "put" : "call",
  spot: 100 + index / 7,
  // A few rows are beyond what can be priced.
  strike: index % 11 === 5 ? -1 : 80 + index,
  time_to_expiry: index % 13 === 3 ? 0 : 0.1 + index / 50,
  rate: 0.01 * (index % 5) - 0.01,
  dividend_yield: 0.002 * index,
  volatility: index % 17 === 9 ? 0 : 0.1 + index / 100,
}));
const priced: readonly Row[] = rows.map(({ volatility: _, ...row }, index) => ({ ...row, price: 1 + index }));

const columnsOf = (of: readonly Row[]) =>
  Object.fromEntries(Object.keys(of[0]!).map((name) => [name, of.map((row) => row[name]!)]));

function arrowOf(of: readonly Readonly<Record<string, number | string | null>>[]): Uint8Array {
  const columns = Object.keys(of[0]!).map((name): [string, ReturnType<typeof columnFromArray>] => {
    const values = of.map((row) => row[name]!);
    const isText = values.some((value) => typeof value === "string");
    return [name, columnFromArray(values, isText ? dictionary(utf8()) : float64())];
  });
  return tableToIPC(tableFromColumns(columns), { format: "stream" })!;
}

function bodyOf(format: Format, of: readonly Row[]): string | Uint8Array {
  switch (format) {
    case "json":
      return JSON.stringify({ model, ...columnsOf(of) });
    case "ndjson":
      return of.map((row) => JSON.stringify(row)).join("\n");
    case "csv":
      return [Object.keys(of[0]!).join(","), ...of.map((row) => Object.values(row).join(","))].join("\n");
    case "arrow":
      return arrowOf(of);
  }
}

interface Sent {
  readonly path?: string;
  readonly body: string | Uint8Array;
  readonly format?: Format;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string | null;
}

/** Sends a body in its format; a table's model stands in the address. */
async function send({ path = batch, body, format = "json", query = "", headers = {}, key = "viewer" }: Sent) {
  const search = new URLSearchParams(query);
  if (format !== "json" && !search.has("model")) search.set("model", model);
  const target = search.size > 0 ? `${path}?${search}` : path;
  const all = { "content-type": types[format], ...headers };
  const request = requestFor("POST", target, { ...(key !== null && { key }), body, headers: all });
  const response = await server.server.handle(request);
  const bytes = await response.bytes();
  const text = () => new TextDecoder().decode(bytes);
  return { status: response.status, headers: response.headers, bytes, text, json: () => JSON.parse(text()) };
}

/** The columns of an answer in any format, null for what is missing. */
function columnsIn(format: Format, bytes: Uint8Array): Record<string, unknown[]> {
  const text = new TextDecoder().decode(bytes);
  switch (format) {
    case "json":
      return Object.fromEntries(Object.entries(JSON.parse(text) as object).filter(([, value]) => Array.isArray(value)));
    case "ndjson":
      return columnsOf(
        text
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line)),
      ) as Record<string, unknown[]>;
    case "csv": {
      const [header, ...lines] = text
        .trimEnd()
        .split("\n")
        .map((line) => line.split(","));
      return Object.fromEntries(
        header!.map((name, index) => [name, lines.map((cells) => (cells[index] === "" ? null : Number(cells[index])))]),
      );
    }
    case "arrow": {
      const table = tableFromIPC(bytes);
      return Object.fromEntries(table.names.map((name) => [name, [...table.getChild(name as string)!]]));
    }
  }
}

describe("S1.04 the same options have the same answer", () => {
  for (const [path, of, names] of [
    [batch, rows, ["price", "delta", "gamma", "vega", "theta", "rho", "status"]],
    [volatilityBatch, priced, ["implied_volatility", "attainable_error", "status"]],
  ] as const) {
    for (const given of formats) {
      test(`${path.slice("/api/v1/pricing/".length)} sent as ${given}, answered in every format, bit for bit`, async () => {
        const plain = columnsIn("json", (await send({ path, body: bodyOf("json", of) })).bytes);
        expect(new Set(plain.status).size).toBeGreaterThan(2);
        for (const wanted of formats) {
          const answer = await send({
            path,
            body: bodyOf(given, of),
            format: given,
            headers: { accept: types[wanted] },
          });
          expect([given, wanted, answer.status, answer.headers.get("content-type")]).toEqual([
            given,
            wanted,
            200,
            types[wanted],
          ]);
          const columns = columnsIn(wanted, answer.bytes);
          expect(Object.keys(columns).sort()).toEqual([...names].sort());
          expect(columns).toEqual(plain);
        }
      });
    }
  }

  test("every answer names the engine, Arrow in its schema too", async () => {
    const { version, wasmSha256 } = engine.info;
    for (const wanted of formats) {
      const answer = await send({ body: bodyOf("csv", rows), format: "csv", query: `units=raw&format=${wanted}` });
      expect(answer.headers.get("engine-version")).toBe(version);
      expect(answer.headers.get("engine-wasm-sha256")).toBe(wasmSha256);
      if (wanted === "json") expect(answer.json().engine).toEqual({ version, wasm_sha256: wasmSha256 });
      if (wanted === "arrow") {
        expect(Object.fromEntries(tableFromIPC(answer.bytes).schema.metadata!)).toEqual({
          units: "raw",
          model,
          engine_version: version,
          engine_wasm_sha256: wasmSha256,
        });
      }
    }
  });

  test("a table's parameters are its address's: outputs, units, day_count, on_unattainable", async () => {
    const asked = await send({
      body: bodyOf("csv", rows),
      format: "csv",
      query: "outputs=vega,price&units=raw&format=csv",
    });
    expect(asked.text().split("\n")[0]).toBe("vega,price,status");
    const inBody = await send({
      body: JSON.stringify({ model, ...columnsOf(rows), outputs: ["vega", "price"], units: "raw" }),
    });
    expect(columnsIn("csv", asked.bytes)).toEqual(columnsIn("json", inBody.bytes));
    const unattainable = priced.map((row) => ({ ...row, price: 0 }));
    const zero = await send({
      path: volatilityBatch,
      body: arrowOf(unattainable),
      format: "arrow",
      query: "on_unattainable=zero",
    });
    expect(zero.json().implied_volatility[0]).toBe(0);
  });

  test("expiries come as words in any format, with one moment or one a row", async () => {
    const timed = rows.map(({ time_to_expiry: _, ...row }, index) => ({
      ...row,
      expiry: index % 2 === 0 ? "2026-12-18T16:00:00-05:00" : "2027-03-19T16:00:00-04:00",
      valuation_time: "2026-06-18T16:00:00-04:00",
    }));
    const body = { model, ...columnsOf(timed), day_count: "act/360" };
    const plain = (await send({ body: JSON.stringify(body) })).json();
    for (const given of ["ndjson", "csv", "arrow"] as const) {
      const answer = await send({ body: bodyOf(given, timed), format: given, query: "day_count=act/360" });
      const { valuation_time: moments, ...rest } = answer.json();
      const { valuation_time: plainMoments, ...plainRest } = plain;
      expect(rest).toEqual(plainRest);
      // A table says the same moment once, where a JSON body with a column of them is answered likewise.
      expect([moments].flat()[0]).toBe([plainMoments].flat()[0]);
      expect(answer.headers.get("valuation-time")).toBe("2026-06-18T20:00:00.000000Z");
    }
  });

  test("a null, a NaN or an empty cell is its row's status, and spoils no other row", async () => {
    const some = rows
      .slice(0, 3)
      .map((row) => ({ ...row, strike: 100 as number | null, time_to_expiry: 1, volatility: 0.2 }));
    const arrow = arrowOf([some[0]!, { ...some[1]!, strike: null }, some[2]!] as never);
    const csv = (bodyOf("csv", some as never) as string)
      .split("\n")
      .map((line, index) => (index === 2 ? line.replace(",100,", ",,") : line))
      .join("\n");
    for (const [format, body] of [
      ["arrow", arrow],
      ["csv", csv],
    ] as const) {
      const { status, price } = (await send({ body, format })).json();
      expect(status).toEqual([0, 20, 0]);
      expect(price.map((value: unknown) => value === null)).toEqual([false, true, false]);
    }
  });

  test("a hundred thousand rows are streamed in input order, in every format", async () => {
    const count = 100_000;
    const strike = Float64Array.from({ length: count }, (_, index) => 50 + index / 1000);
    const fixed = (value: number) => columnFromArray(new Float64Array(count).fill(value));
    const body = tableToIPC(
      tableFromColumns({
        option_type: columnFromArray(new Array(count).fill("call"), dictionary(utf8())),
        spot: fixed(100),
        strike: columnFromArray(strike),
        time_to_expiry: fixed(0.5),
        rate: fixed(0.03),
        volatility: fixed(0.2),
      }),
      { format: "stream" },
    )!;
    for (const wanted of formats) {
      const answer = await send({ body, format: "arrow", query: `outputs=price&format=${wanted}` });
      const prices = columnsIn(wanted, answer.bytes).price as number[];
      expect(prices.length).toBe(count);
      // A call is worth less the higher its strike: any two rows exchanged would show.
      expect(prices.every((value, index) => index === 0 || value < prices[index - 1]!)).toBe(true);
    }
  });
});

describe("S1.04 the format of an answer", () => {
  const accepted: readonly (readonly [string | null, Format])[] = [
    [null, "json"],
    ["*/*", "json"],
    ["text/csv", "csv"],
    ["TEXT/CSV", "csv"],
    ["application/x-ndjson", "ndjson"],
    ["application/vnd.apache.arrow.stream", "arrow"],
    ["text/*", "csv"],
    ["application/*", "json"],
    ["text/csv;q=0.5, application/vnd.apache.arrow.stream;q=0.9", "arrow"],
    ["text/csv, application/json", "csv"],
    ["text/csv, */*;q=0.1", "csv"],
    ["text/csv;q=0, */*", "json"],
    ["application/json;q=0, text/csv;q=0.001", "csv"],
    ["application/json;q=0, */*;q=0.5", "ndjson"],
    ["text/html, image/png", "json"],
    ["text/csv;q=banana", "json"],
    ["text/csv;q=1.5", "json"],
    [",,;;q=,", "json"],
  ];
  for (const [accept, format] of accepted) {
    test(`Accept: ${accept} is answered in ${format}`, async () => {
      const answer = await send({ body: bodyOf("json", rows), headers: accept === null ? {} : { accept } });
      expect(answer.headers.get("content-type")).toBe(types[format]);
      expect(answer.headers.get("vary")).toContain("Accept, Accept-Encoding");
    });
  }

  test("?format= goes before Accept, and an unknown one is 422", async () => {
    const answer = await send({ body: bodyOf("json", rows), query: "format=csv", headers: { accept: types.arrow } });
    expect(answer.headers.get("content-type")).toBe("text/csv");
    const unknown = await send({ body: bodyOf("json", rows), query: "format=xml" });
    expect([unknown.status, unknown.json().errors[0].pointer]).toEqual([422, "/query/format"]);
  });
});

describe("S2.35 S2.14 a table that cannot be taken", () => {
  const csv = bodyOf("csv", rows) as string;
  const refused: readonly (readonly [string, Sent, number, string | null])[] = [
    ["an unknown column", { body: "colour\n1\n", format: "csv" }, 422, "/colour"],
    ["the model as a column", { body: `model\n${model}\n`, format: "csv" }, 422, "/model"],
    ["another model's input", { body: csv.replace("spot", "forward"), format: "csv" }, 422, "/forward"],
    ["a missing column", { body: csv.replace("rate", "displacement"), format: "csv" }, 422, "/rate"],
    [
      "no option type",
      { body: "strike,spot,rate,time_to_expiry,volatility\n1,1,1,1,1\n", format: "csv" },
      422,
      "/option_type",
    ],
    ["an unknown option type", { body: csv.replace("call", "straddle"), format: "csv" }, 422, "/option_type/1"],
    ["a missing option type", { body: csv.replace("call", ""), format: "csv" }, 422, "/option_type/1"],
    ["a word for a number", { body: csv.replace("-0.01,", "x,"), format: "csv" }, 422, "/rate/0"],
    [
      "a null in NDJSON",
      { body: (bodyOf("ndjson", rows) as string).replace('"rate":0,', '"rate":null,'), format: "ndjson" },
      422,
      "/rate/1",
    ],
    ["no time", { body: csv.replace("time_to_expiry", "expiry"), format: "csv" }, 422, "/expiry/0"],
    ["no model", { body: csv, format: "csv", query: "model=" }, 422, "/query/model"],
    ["an unknown output", { body: csv, format: "csv", query: "outputs=price,smile" }, 422, "/query/outputs"],
    ["an output twice", { body: csv, format: "csv", query: "outputs=price,price" }, 422, "/query/outputs"],
    [
      "a day count without an expiry",
      { body: csv, format: "csv", query: "day_count=act/360" },
      422,
      "/query/day_count",
    ],
    ["an unknown parameter", { body: csv, format: "csv", query: "spot=1" }, 422, "/query/spot"],
    ["a table's parameter beside JSON", { body: bodyOf("json", rows), query: "units=raw" }, 422, "/query/units"],
    ["JSON called CSV", { body: bodyOf("json", rows), format: "csv" }, 400, null],
    ["CSV called Arrow", { body: csv, format: "arrow" }, 400, null],
    ["half an Arrow stream", { body: arrowOf(rows).subarray(0, 2000), format: "arrow" }, 400, null],
    ["an unknown media type", { body: csv, headers: { "content-type": "text/tab-separated-values" } }, 415, null],
    ["another character set", { body: csv, headers: { "content-type": "text/csv; charset=latin1" } }, 415, null],
    ["an unknown coding", { body: csv, format: "csv", headers: { "content-encoding": "br" } }, 415, null],
    ["two codings", { body: csv, format: "csv", headers: { "content-encoding": "gzip, gzip" } }, 415, null],
    ["a coding that is not there", { body: csv, format: "csv", headers: { "content-encoding": "gzip" } }, 400, null],
    ["no key", { body: "{", format: "csv", key: null, headers: { "content-type": "nonsense" } }, 401, null],
  ];
  for (const [title, sent, status, pointer] of refused) {
    test(`${title} is ${status}${pointer ? ` at ${pointer}` : ""}`, async () => {
      const answer = await send(sent);
      expect([answer.status, answer.headers.get("content-type")]).toEqual([status, "application/problem+json"]);
      if (pointer !== null)
        expect(answer.json().errors.map((fault: { pointer: string }) => fault.pointer)).toContain(pointer);
    });
  }

  test("a table on a route that takes none is 415", async () => {
    expect((await send({ path: "/api/v1/pricing/price", body: csv, format: "csv", query: "" })).status).toBe(415);
  });

  test("a text with a character set of UTF-8 is taken", async () => {
    const answer = await send({ body: csv, format: "csv", headers: { "content-type": 'Text/CSV; charset="UTF-8"' } });
    expect(answer.status).toBe(200);
  });
});

describe("S2.14 compressed bodies and answers", () => {
  const coders = [
    ["gzip", gzipSync, gunzipSync],
    ["x-gzip", gzipSync, gunzipSync],
    ["zstd", zstdCompressSync, zstdDecompressSync],
  ] as const;
  for (const [coding, compress] of coders) {
    for (const given of formats) {
      test(`${given} under ${coding} is the same as without`, async () => {
        const body = bodyOf(given, rows);
        const plain = await send({ body, format: given });
        const coded = await send({
          body: new Uint8Array(compress(body)),
          format: given,
          headers: { "content-encoding": coding },
        });
        expect([coded.status, coded.text()]).toEqual([200, plain.text()]);
      });
    }

    test(`a body under ${coding} that is cut or broken is 400`, async () => {
      const body = new Uint8Array(compress(crypto.getRandomValues(new Uint8Array(60_000))));
      for (const broken of [
        body.subarray(0, body.length - 1),
        body.subarray(0, 30_000),
        body.subarray(0, 3),
        body.subarray(2),
        new Uint8Array(),
      ]) {
        const answer = await send({ body: broken, format: "csv", headers: { "content-encoding": coding } });
        expect([broken.length, answer.status, answer.json().code]).toEqual([broken.length, 400, "BODY_MALFORMED"]);
      }
    });

    test(`a bomb under ${coding} is 413, whatever it says it is`, async () => {
      const bomb = new Uint8Array(compress(new Uint8Array(200_000_000)));
      for (const given of formats) {
        const answer = await send({ body: bomb, format: given, headers: { "content-encoding": coding } });
        expect([given, answer.status, answer.json().code]).toEqual([given, 413, "BODY_TOO_LARGE"]);
      }
    });
  }

  const wishes: readonly (readonly [string, string | null])[] = [
    ["gzip", "gzip"],
    ["zstd", "zstd"],
    ["gzip, deflate, br, zstd", "zstd"],
    ["gzip;q=1, zstd;q=0.5", "gzip"],
    ["*", "gzip"],
    ["gzip;q=0, *", null],
    ["gzip;q=0.5, identity", null],
    ["identity", null],
    ["br", null],
    ["", null],
  ];
  for (const [wish, coding] of wishes) {
    test(`Accept-Encoding: ${wish} gets ${coding ?? "it plain"}`, async () => {
      const plain = await send({ body: bodyOf("json", rows) });
      const answer = await send({ body: bodyOf("json", rows), headers: { "accept-encoding": wish } });
      expect(answer.headers.get("content-encoding")).toBe(coding);
      const decode = coding === "gzip" ? gunzipSync : coding === "zstd" ? zstdDecompressSync : Buffer.from;
      expect(decode(answer.bytes).toString()).toBe(plain.text());
    });
  }

  test("a small answer, and a problem, go out plain", async () => {
    const one = await send({ body: bodyOf("json", rows.slice(0, 1)), headers: { "accept-encoding": "gzip" } });
    expect([one.headers.get("content-encoding"), one.headers.get("vary")]).toEqual([null, "Accept, Accept-Encoding"]);
    const problem = await send({ body: "{", headers: { "accept-encoding": "gzip" } });
    expect(problem.headers.get("content-encoding")).toBeNull();
  });
});

describe("S2.14 limits of tables", () => {
  test("rows past the limit are 422, as many are taken; JSON has its own limit", async () => {
    const small = openPricing({ tableRowsMax: 40, batchRowsMax: 39 });
    const post = (format: Format, of: readonly Row[]) =>
      small.server.call("POST", `${batch}${format === "json" ? "" : `?model=${model}`}`, {
        key: "viewer",
        body: bodyOf(format, of),
        headers: { "content-type": types[format] },
      });
    for (const format of ["csv", "ndjson", "arrow"] as const) {
      expect((await post(format, rows)).status).toBe(200);
      const answer = await post(format, [...rows, rows[0]!]);
      expect([answer.status, answer.json.code]).toEqual([422, "BATCH_TOO_LARGE"]);
    }
    expect((await post("json", rows)).json.code).toBe("BATCH_TOO_LARGE");
    await small.server.close();
  });

  test("bytes past the limit are 413: declared, streamed or unfolded, before anything is parsed", async () => {
    const small = openPricing({ tableBytesMax: 5000, batchBytesMax: 2000 });
    const junk = new Uint8Array(5001).fill(0x78);
    const post = async (body: Uint8Array, headers: Record<string, string>) => {
      const request = requestFor("POST", `${batch}?model=${model}`, { key: "viewer", body, headers });
      return (await small.server.server.handle(request)).status;
    };
    const csv = { "content-type": "text/csv" };
    expect(await post(junk, csv)).toBe(413);
    expect(await post(junk.subarray(0, 5000), csv)).toBe(422);
    expect(await post(gzipSync(junk), { ...csv, "content-encoding": "gzip" })).toBe(413);
    expect(await post(junk.subarray(0, 2001), {})).toBe(413);
    expect(await post(junk.subarray(0, 2001), { "content-type": "nonsense" })).toBe(413);
    const stream = new Request(`http://localhost${batch}?model=${model}`, {
      method: "POST",
      headers: { host: "localhost", "x-api-key": "bso_test_viewer", ...csv },
      body: new Blob([junk]).stream(),
    });
    expect((await small.server.server.handle(stream)).status).toBe(413);
    await small.server.close();
  });

  test("S2.41 large bodies beyond the budget are told to come back, and taken once there is room", async () => {
    const narrow = openPricing({ config: { largeBodiesBytesMax: 3_000_000 } });
    const blanks = "\n".repeat(2_000_000);
    const csv = `${blanks}${bodyOf("csv", rows)}`;
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
    const { promise: isHeld, resolve: held } = Promise.withResolvers<void>();
    const headers = { host: "localhost", "x-api-key": "bso_test_viewer", "content-type": "text/csv" };
    const slow = new Request(`http://localhost${batch}?model=${model}`, {
      method: "POST",
      headers,
      body: new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode(blanks));
          await Bun.sleep(0);
          held();
          await mayEnd;
          controller.enqueue(new TextEncoder().encode(bodyOf("csv", rows) as string));
          controller.close();
        },
      }),
    });
    const first = narrow.server.server.handle(slow);
    await isHeld;
    const post = () =>
      narrow.server.call("POST", `${batch}?model=${model}`, {
        key: "viewer",
        body: csv,
        headers: { "content-type": "text/csv" },
      });
    let second = await post();
    expect([second.status, second.json.code, second.json.retryable, second.headers.get("retry-after")]).toEqual([
      503,
      "BODIES_WAITING",
      true,
      "1",
    ]);
    // Small bodies are never turned away.
    expect((await narrow.server.call("POST", batch, { key: "viewer", body: bodyOf("json", rows) })).status).toBe(200);
    end();
    const answer = await first;
    expect(answer.status).toBe(200);
    // Until the last byte of the first answer is taken its body counts.
    expect((await post()).status).toBe(503);
    await answer.arrayBuffer();
    second = await post();
    expect(second.status).toBe(200);
    // An answer that is given up gives its room back as well.
    const given = await narrow.server.server.handle(
      requestFor("POST", `${batch}?model=${model}`, {
        key: "viewer",
        body: csv,
        headers: { "content-type": "text/csv" },
      }),
    );
    await given.body!.cancel();
    expect((await post()).status).toBe(200);
    await narrow.server.close();
  });
});

describe("S1.04 inputs_hash", () => {
  const hashOf = async (sent: Sent) => {
    const answer = await send({ ...sent, query: `${sent.query ?? ""}&inputs_hash=true` });
    expect(answer.status).toBe(200);
    const { inputs_hash: hash } = answer.json();
    expect(hash).toBe(answer.headers.get("inputs-hash"));
    return hash as string;
  };

  test("is over the bytes that the guide describes", async () => {
    const hash = createHash("sha256").update(`bsopt-inputs-1 price ${rows.length}\n${model} ${rows.length}\n`);
    const column = (values: readonly number[]) => hash.update(Float64Array.from(values));
    for (const name of ["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"]) {
      column(rows.map((row) => row[name] as number));
    }
    column(rows.map((row) => (row.option_type === "call" ? 1 : 0)));
    expect(await hashOf({ body: bodyOf("json", rows) })).toBe(hash.digest("hex"));
  });

  test("is the same for the same options in every format, by rows, and whichever numbers are sent once for all", async () => {
    const same = rows.map((row) => ({ ...row, spot: 100, rate: 0.03 }));
    const expected = await hashOf({ body: bodyOf("json", same) });
    for (const given of formats) expect(await hashOf({ body: bodyOf(given, same), format: given })).toBe(expected);
    const { spot: _, rate: __, ...others } = columnsOf(same);
    expect(await hashOf({ body: JSON.stringify({ model, ...others, spot: 100, rate: 0.03 }) })).toBe(expected);
    expect(await hashOf({ body: JSON.stringify({ options: same.map((row) => ({ model, ...row })) }) })).toBe(expected);
    // What is asked about the options is not among them.
    expect(
      await hashOf({ body: JSON.stringify({ model, ...columnsOf(same), outputs: ["price"], units: "raw" }) }),
    ).toBe(expected);
  });

  test("differs where any input does, and between the two questions", async () => {
    const hashes = new Set([await hashOf({ body: bodyOf("json", rows) })]);
    for (const name of Object.keys(rows[0]!)) {
      const value = name === "option_type" ? "call" : 0.123;
      const changed = rows.map((row, index) => (index === 0 ? { ...row, [name]: value } : row));
      hashes.add(await hashOf({ body: bodyOf("json", changed) }));
    }
    hashes.add(await hashOf({ body: bodyOf("json", rows.toReversed()) }));
    hashes.add(await hashOf({ path: volatilityBatch, body: bodyOf("json", priced) }));
    expect(hashes.size).toBe(3 + Object.keys(rows[0]!).length);
  });

  test("is told by the body's field too, of one option, in Arrow's schema, and not unless asked for", async () => {
    const expected = await hashOf({ body: bodyOf("json", rows.slice(0, 1)) });
    const asked = await send({ body: JSON.stringify({ model, ...columnsOf(rows.slice(0, 1)), inputs_hash: true }) });
    expect(asked.json().inputs_hash).toBe(expected);
    const one = await send({
      path: "/api/v1/pricing/price",
      body: JSON.stringify({ model, ...rows[0] }),
      query: "inputs_hash=true",
    });
    expect(one.json().inputs_hash).toBe(expected);
    const arrow = await send({
      body: bodyOf("arrow", rows.slice(0, 1)),
      format: "arrow",
      query: "inputs_hash=true&format=arrow",
    });
    expect(tableFromIPC(arrow.bytes).schema.metadata!.get("inputs_hash")).toBe(expected);
    const silent = await send({ body: bodyOf("json", rows) });
    expect([silent.json().inputs_hash, silent.headers.get("inputs-hash")]).toEqual([undefined, null]);
  });

  test("of more rows than are hashed at once is the hash of all", async () => {
    const strike = Array.from({ length: 40_000 }, (_, index) => 50 + index / 100);
    const { strike: _, ...first } = rows[0]!;
    const hash = createHash("sha256").update(`bsopt-inputs-1 price 40000\n${model} 40000\n`);
    const one = (name: string) => new Float64Array(40_000).fill(first[name] as number);
    for (const name of ["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"]) {
      hash.update(name === "strike" ? Float64Array.from(strike) : one(name));
    }
    hash.update(new Float64Array(40_000));
    expect(await hashOf({ body: JSON.stringify({ model, ...first, strike }) })).toBe(hash.digest("hex"));
  });
});
