// `bsopt canary`: what it makes of pairs, by numbers; and over sockets, the whole application against itself behind something that
// spoils, delays or refuses: each way to be worse than the baseline must fail it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Command } from "commander";
import { canaryCommand } from "../../../src/commands/canary";
import { type Bounds, difference, judge, type Pair } from "../../../src/commands/canary-report";
import { systemClock } from "../../../src/foundation/clock";
import { startApp } from "../../harness/app";
import type { Loose } from "../../harness/executable";
import { recordedIo, type Spoil, startSpoiler } from "../../harness/spoiler";
import { temporaryFolder } from "../../harness/storage";

const bounds: Bounds = { errorRateMax: 0.001, latencyRatioMax: 1.5 };
const engine = (sha: string) => ({ version: "1", wasm_sha256: sha });
const answer = (price: number, sha = "a") => ({ price, status: "ok", engine: engine(sha) });
const side = (milliseconds: number, json: unknown = answer(1), status = 200) => ({ status, milliseconds, json });
const pairOf = (baseline = side(2), candidate = side(2)): Pair => ({ request: "one", scale: 100, baseline, candidate });
const many = (count: number, pair: (index: number) => Pair) => Array.from({ length: count }, (_, index) => pair(index));

describe("S4.67 the verdict", () => {
  test("on two that are alike is passed, with nothing to say", () => {
    const report = judge(
      many(100, () => pairOf()),
      bounds,
    );
    expect(report).toMatchObject({
      passed: true,
      pairs: 100,
      faults: [],
      errors: { baseline: 0, candidate: 0, rate: 0 },
    });
    expect(report.answers).toEqual({ sameEngine: true, compared: 100, different: 0, shown: [] });
  });

  test.each([
    [1001, 1, true],
    [1000, 1, false],
    [2000, 2, false],
    [2001, 2, true],
  ])("over %p pairs of which %p fail: passed %p, for less than one in a thousand may", (count, failing, passed) => {
    const pairs = many(count, (index) => (index < failing ? pairOf(side(2), side(2, undefined, 500)) : pairOf()));
    expect(judge(pairs, bounds).passed).toBe(passed);
  });

  test("counts no answer as an error, and the baseline's own errors apart", () => {
    const gone = side(0, undefined, 0);
    const report = judge([pairOf(gone, side(2)), pairOf(side(2), gone)], bounds);
    expect(report.errors).toEqual({ baseline: 1, candidate: 1, rate: 0.5 });
    expect(report.faults).toContain("no request was answered by both");
  });

  test.each([
    [1.5, 2, true],
    [1.51, 2, false],
    // Three times as long, and less than the machine's noise.
    [3, 0.4, true],
  ])("with %p times the baseline's %p ms: passed %p", (ratio, milliseconds, passed) => {
    const pairs = many(100, () => pairOf(side(milliseconds), side(milliseconds * ratio)));
    expect(judge(pairs, bounds)).toMatchObject({ passed, latency: { ratio: { p50: expect.closeTo(ratio, 9) } } });
  });

  test("looks at the slow ones too: a candidate slow in one of ten fails, in one of a hundred it does not", () => {
    const slowIn = (every: number) =>
      judge(
        many(1000, (index) => pairOf(side(2), side(index % every === 0 ? 20 : 2))),
        bounds,
      );
    expect(slowIn(10).faults).toEqual(["p95 took 10.00 times as long: more than 1.5"]);
    expect(slowIn(100).passed).toBe(true);
  });

  const rule = { isSameEngine: false, scale: 100 };
  const same = { isSameEngine: true, scale: 100 };
  const rows: [string, unknown, unknown, typeof rule, string | null][] = [
    ["the same bits of the same engine", answer(1), answer(1), same, null],
    ["the last bit of the same engine", answer(1), answer(1 + 2 ** -52), same, "/price is 1.0000000000000002, was 1"],
    ["a price within both errors", answer(1), answer(1 + 1.9e-13, "b"), rule, null],
    ["a price beyond them", answer(1), answer(1 + 2.1e-13, "b"), rule, "/price is"],
    ["a column of prices within them", { price: [1, 2] }, { price: [1, 2 + 1.9e-13] }, rule, null],
    ["a column of prices beyond them", { price: [1, 2] }, { price: [1, 2.1] }, rule, "/price/1 is 2.1, was 2"],
    ["a Greek within both errors", { greeks: { delta: 0.5 } }, { greeks: { delta: 0.5 + 0.9e-13 } }, rule, null],
    ["a Greek beyond them", { greeks: { delta: 0.5 } }, { greeks: { delta: 0.5 + 1.2e-13 } }, rule, "/greeks/delta is"],
    ["a Greek that is nearly nothing", { delta: 1e-13 }, { delta: 1e-13 + 1e-24 }, rule, null],
    ["one that is not as nearly nothing", { delta: 1e-13 }, { delta: 1e-13 + 1e-23 }, rule, "/delta is"],
    [
      "a volatility as near as can be known",
      { implied_volatility: 0.2, attainable_error: 1e-10 },
      { implied_volatility: 0.2 + 1.5e-10, attainable_error: 1e-10 },
      rule,
      null,
    ],
    [
      "one that is farther",
      { implied_volatility: 0.2, attainable_error: 1e-10 },
      { implied_volatility: 0.2 + 1.7e-10, attainable_error: 1e-10 },
      rule,
      "/implied_volatility is",
    ],
    ["another status", { status: "ok" }, { status: "expired" }, rule, '/status is "expired", was "ok"'],
    ["a null for a number", { price: 1 }, { price: null }, rule, "/price is null, was 1"],
    ["a field that is gone", { price: 1, delta: 1 }, { price: 1 }, same, "/delta is missing, was 1"],
    ["a field that came", { price: 1 }, { price: 1, delta: 1 }, same, null],
    ["a row that is gone", { price: [1, 2] }, { price: [1] }, same, "/price has another length"],
    ["minus zero for zero", { price: 0 }, { price: -0 }, same, "/price is 0, was 0"],
  ];
  test.each(rows)("tells %s", (_name, baseline, candidate, by, found) => {
    const told = difference(baseline, candidate, by);
    if (found === null) expect(told).toBeNull();
    else expect(told).toStartWith(found);
  });
});

describe("S4.67 the command", () => {
  let app: Awaited<ReturnType<typeof startApp>>;
  // Before the folder goes.
  afterAll(() => app.stop());
  const folder = temporaryFolder();
  const keyFile = join(folder, "data", "admin-api-key");
  beforeAll(async () => {
    app = await startApp(folder);
  });

  const run = (...argv: string[]) =>
    recordedIo((io) => new Command("bsopt").addCommand(canaryCommand({ io, clock: systemClock })), ["canary", ...argv]);

  /** The application against itself behind a spoiler; latencies are another test's. */
  async function canary(spoil: Spoil, ...more: string[]) {
    const spoiler = startSpoiler(app.url, spoil);
    const wide = ["--latency-ratio-max", "100"];
    const { code, out } = await run(
      app.url,
      spoiler.url,
      "--key-file",
      keyFile,
      "--requests",
      "60",
      "--json",
      ...wide,
      ...more,
    );
    await spoiler.stop();
    return { code, report: out === "" ? null : (JSON.parse(out) as Loose) };
  }

  test("passes a candidate that does the same, whose answers are compared bit for bit", async () => {
    const { code, report } = await canary(() => null);
    expect([code, report.faults]).toEqual([0, []]);
    expect(report).toMatchObject({
      passed: true,
      pairs: 60,
      answers: { sameEngine: true, compared: 60, different: 0 },
    });
    expect(report.orders).toBe("not_offered");
  });

  test("asks all three kinds of request, the same ones for the same seed and others for another", async () => {
    const askedWith = async (seed: string) => {
      const asked: string[] = [];
      await canary(
        (path) => {
          asked.push(path);
          return null;
        },
        "--seed",
        seed,
      );
      return asked;
    };
    const [one, again, other] = [await askedWith("7"), await askedWith("7"), await askedWith("8")];
    expect(new Set(one).size).toBe(3);
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
  });

  test("fails one whose price is off in the last bit, and names the request", async () => {
    const { code, report } = await canary((path, _method, { status, json }) =>
      path.endsWith("/price") ? { status, body: { ...json, price: json.price * (1 + 2 ** -52) } } : null,
    );
    expect([code, report.passed, report.errors.candidate]).toEqual([1, false, 0]);
    expect(report.faults[0]).toMatch(/answers differ: \/price is .* \(\/api\/v1\/pricing\/price \{/);
  });

  test("takes the last bit of another engine, and not the tenth digit", async () => {
    const off = (factor: number) =>
      canary((path, _method, { status, json }) =>
        path.endsWith("/price")
          ? { status, body: { ...json, price: json.price * factor, engine: { ...json.engine, wasm_sha256: "other" } } }
          : null,
      );
    expect((await off(1 + 2 ** -52)).report).toMatchObject({ passed: true, answers: { sameEngine: false } });
    expect((await off(1 + 1e-10)).code).toBe(1);
  });

  test("fails one that fails now and then", async () => {
    let count = 0;
    const { code, report } = await canary(() => {
      count += 1;
      return count === 40 ? { status: 503, body: { code: "OVERLOADED" } } : null;
    });
    expect([code, report.errors.candidate]).toEqual([1, 1]);
    expect(report.faults[0]).toBe("1 of 60 requests failed: not less than 0.1 %");
  });

  test("fails one that takes much longer, and says so to a person", async () => {
    const slow = startSpoiler(app.url, () => ({ status: 200, body: undefined, afterMilliseconds: 60 }));
    const { code, out } = await run(
      app.url,
      slow.url,
      "--key-file",
      keyFile,
      "--requests",
      "20",
      "--latency-ratio-max",
      "2",
    );
    await slow.stop();
    expect(code).toBe(1);
    expect(out).toMatch(/^20 requests to each\nserver +errors +p50 +p95\nbaseline +0 +[\d.]+ ms +[\d.]+ ms\n/);
    expect(out).toMatch(/^failed: p50 took [\d.]+ times as long: more than 2$/m);
    expect(out).toContain("orders: not offered by these servers\n");
  });

  test.each([
    ["a candidate that is not there", (spoiled: string) => [app.url, spoiled], 1, "the candidate does not answer"],
    ["the same address twice", () => [app.url, `${app.url}/`], 2, "both addresses are the same"],
    ["no key", () => [app.url, "http://127.0.0.1:1"], 2, "--key-file"],
    ["no count", () => [app.url, "http://127.0.0.1:1", "--requests", "0"], 2, "no count"],
    ["a ratio below 1", () => [app.url, "http://127.0.0.1:1", "--latency-ratio-max", "0.9"], 2, "no ratio"],
  ])("refuses %s", async (name, argv, code, words) => {
    const gone = startSpoiler(app.url, () => null);
    await gone.stop();
    const key = name === "no key" ? [] : ["--key-file", keyFile];
    const told = await run(...argv(gone.url), ...key);
    expect([told.code, told.err]).toEqual([code, expect.stringContaining(words)]);
  });

  test("says that a key is wrong before it begins", async () => {
    const closed = startSpoiler(app.url, () => ({ status: 401, body: { code: "API_KEY_INVALID" } }));
    const { code, err } = await run(app.url, closed.url, "--key-file", keyFile, "--candidate-key-file", keyFile);
    await closed.stop();
    expect([code, err]).toEqual([1, expect.stringContaining("the candidate answers 401 API_KEY_INVALID")]);
  });
});
