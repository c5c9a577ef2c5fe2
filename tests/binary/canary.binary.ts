// `bsopt smoke` and `bsopt canary` as an operator runs them before and after a release: the executable against the executable.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { Installation, type Loose, type Serving } from "../harness/executable";

const here = new Installation();
const there = new Installation();
let serving: Serving;
let other: Serving;
beforeAll(async () => {
  serving = await here.serve();
  other = await there.serve();
  copyFileSync(there.path("bsopt-data", "admin-api-key"), here.path("other-key"));
});
afterAll(() => {
  here.remove();
  there.remove();
});

const keyFile = ["--key-file", "bsopt-data/admin-api-key"];

describe("S4.66 bsopt smoke", () => {
  test("finds nothing wrong with the server it came with, and needs no more than the port to find its key", async () => {
    const asked = await here.run(["smoke", "--port", new URL(serving.url).port, "--json"]);
    expect([asked.code, asked.stderr]).toEqual([0, ""]);
    const report = JSON.parse(asked.stdout) as Loose;
    const found = Object.fromEntries(report.checks.map((one: Loose) => [one.check, one.status]));
    const { websocket, "test order": order, ...rest } = found;
    expect([websocket, order, new Set(Object.values(rest))]).toEqual(["not_offered", "not_offered", new Set(["ok"])]);
    expect(Object.keys(rest)).toHaveLength(13);
  });

  test("ends with 1 where the key is another server's", async () => {
    const asked = await here.run(["smoke", serving.url, "--key-file", "other-key"]);
    expect(asked.code).toBe(1);
    expect(asked.stdout).toMatch(/^failed +price +[\d.]+ ms +answered 401 API_KEY_INVALID/m);
    expect(asked.stdout).toMatch(/^ok +health /m);
  });
});

describe("S4.67 bsopt canary", () => {
  test("compares two servers of one version: the same bits, no errors", async () => {
    // Two servers on a busy machine are not always equally fast; latency is judged by numbers elsewhere.
    const asked = await here.run([
      ...["canary", serving.url, other.url, ...keyFile, "--candidate-key-file", "other-key", "--json"],
      ...["--requests", "300", "--latency-ratio-max", "100"],
    ]);
    expect([asked.code, asked.stderr]).toEqual([0, ""]);
    expect(JSON.parse(asked.stdout)).toMatchObject({
      passed: true,
      pairs: 300,
      errors: { baseline: 0, candidate: 0 },
      answers: { sameEngine: true, compared: 300, different: 0 },
    });
  });

  test("ends with 1, in words, where the candidate is gone", async () => {
    expect(await other.stop()).toBe(0);
    const asked = await here.run(["canary", serving.url, other.url, ...keyFile]);
    expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining("the candidate does not answer")]);
    expect(await serving.stop()).toBe(0);
  });
});
