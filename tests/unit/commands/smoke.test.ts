// `bsopt smoke` against the whole application over its socket, and against the same application behind something that spoils one answer: each
// check must notice what it is there for.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { healthCommand } from "../../../src/commands/health";
import { smokeCommand } from "../../../src/commands/smoke";
import { knownPrice, smokeChecks } from "../../../src/commands/smoke-checks";
import { systemClock } from "../../../src/foundation/clock";
import { startApp } from "../../harness/app";
import type { Loose } from "../../harness/executable";
import { recordedIo, startSpoiler } from "../../harness/spoiler";
import { temporaryFolder } from "../../harness/storage";

let app: Awaited<ReturnType<typeof startApp>>;
// Before the folder goes.
afterAll(() => app.stop());
const folder = temporaryFolder();
const keyFile = join(folder, "data", "admin-api-key");
beforeAll(async () => {
  app = await startApp(folder);
});

async function run(...argv: string[]) {
  return recordedIo((io) => {
    const source = { io, environment: {} };
    return new Command("bsopt")
      .addCommand(smokeCommand({ ...source, clock: systemClock }))
      .addCommand(healthCommand(source));
  }, argv);
}

async function smoke(url: string, ...more: string[]) {
  const { code, out, err } = await run("smoke", url, "--json", ...more);
  const report = JSON.parse(out) as Loose;
  const of = (status: string) =>
    report.checks.filter((one: Loose) => one.status === status).map((one: Loose) => one.check);
  return { code, err, report, of };
}

describe("S4.66 smoke", () => {
  test("of a server that is well passes every check, and tells what the server does not offer", async () => {
    const { code, report, of } = await smoke(app.url, "--key-file", keyFile);
    expect([code, report.status, report.url, of("failed"), of("skipped")]).toEqual([0, "ok", app.url, [], []]);
    expect(of("not_offered")).toEqual(["websocket", "test order"]);
    expect(of("ok")).toEqual(
      smokeChecks.map(({ name }) => name).filter((name) => !["websocket", "test order"].includes(name)),
    );
  });

  test("without a key checks what is open to all and says that the rest was skipped", async () => {
    const { code, report, of } = await smoke(app.url);
    expect([code, report.status, of("failed")]).toEqual([0, "ok", []]);
    expect(of("ok")).toEqual(["health", "readiness", "metrics", "documents", "no key"]);
    expect(of("skipped")).toEqual(smokeChecks.filter(({ isKeyed }) => isKeyed).map(({ name }) => name));
  });

  test("prints a table for a person, and where no address is given asks the server that the settings describe with its first key", async () => {
    const { port } = new URL(app.url);
    const { code, out, err } = await run("smoke", "--port", port, "--data-dir", join(folder, "data"));
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^result +check +took +found\nok +health +\d+\.\d ms +ok\n/);
    expect(out).toMatch(/^ok +price +\d+\.\d ms +3\.96569599453418/m);
    expect(out).toMatch(/^not offered +websocket +\d+\.\d ms +not in the server's document$/m);
    expect((await run("health", "--port", port)).out).toBe("ok\n");
    const stranger = await run("smoke", "--port", port, "--data-dir", folder);
    expect([stranger.code, stranger.err]).toEqual([0, expect.stringContaining("no key")]);
  });

  const problem = (status: number) => ({ status, body: { code: "BROKEN", detail: "It is broken." } });
  const rows: [string, string, (path: string, method: string, answer: Loose) => Loose, string[]][] = [
    ["health that says no", "/health", () => ({ status: 200, body: { status: "no" } }), ["health"]],
    ["liveness that fails", "/liveness", () => problem(503), ["health"]],
    [
      "readiness that fails",
      "/readiness",
      () => ({ status: 503, body: { status: "failed", checks: [{ component: "database", status: "failed" }] } }),
      ["readiness"],
    ],
    ["a status without a version", "/api/v1/status", () => ({ status: 200, body: {} }), ["status"]],
    ["empty metrics", "/metrics", () => ({ status: 200, body: "" }), ["metrics"]],
    ["a document that is none", "/openapi.json", () => ({ status: 200, body: {} }), ["documents"]],
    ["a page that is missing", "/docs", () => problem(404), ["documents"]],
    [
      "a price that is off in the fourteenth digit",
      "/api/v1/pricing/price",
      (_path, _method, { status, json }) => ({
        status,
        body: json.price === undefined ? json : { ...json, price: json.price + 2e-13 },
      }),
      ["price", "implied volatility", "batch as json", "batch as csv", "batch as ndjson", "batch as arrow"],
    ],
    [
      "a volatility that is off in the twelfth digit",
      "/api/v1/pricing/implied-volatility",
      (_path, _method, { status, json }) => ({ status, body: { ...json, implied_volatility: 0.2 + 1e-12 } }),
      ["implied volatility"],
    ],
    [
      "batches that fail",
      "/api/v1/pricing/batch",
      () => problem(500),
      ["batch as json", "batch as csv", "batch as ndjson", "batch as arrow"],
    ],
    [
      "a batch that forgets rows",
      "/api/v1/pricing/batch",
      (_path, _method, { status, json }) => ({
        status,
        body: json ? { ...json, price: [knownPrice] } : "price\n1\n",
        type: json ? "application/json" : "text/csv",
      }),
      ["batch as json", "batch as csv", "batch as ndjson", "batch as arrow"],
    ],
  ];
  test.each(rows)("finds %s", async (_name, path, spoil, failing) => {
    const spoiler = startSpoiler(app.url, (asked, method, answer) =>
      asked === path ? spoil(asked, method, answer) : null,
    );
    const { code, report, of } = await smoke(spoiler.url, "--key-file", keyFile);
    await spoiler.stop();
    expect([code, report.status, of("failed")]).toEqual([1, "failed", failing]);
  });

  test("finds a server that lets anybody in, and one that takes any body", async () => {
    const lets = startSpoiler(app.url, (path, _method, { status }) =>
      path === "/api/v1/pricing/price" && status >= 400 ? { status: 200, body: { price: 1 } } : null,
    );
    const { code, of } = await smoke(lets.url, "--key-file", keyFile);
    await lets.stop();
    expect([code, of("failed")]).toEqual([1, ["no key", "a bad body"]]);
  });

  test("tells of something offered that it cannot try as skipped, not as well", async () => {
    const offers = startSpoiler(app.url, (path, _method, { status, json }) =>
      path === "/openapi.json" ? { status, body: { ...json, paths: { ...json.paths, "/api/v1/ws": {} } } } : null,
    );
    const { code, of } = await smoke(offers.url, "--key-file", keyFile);
    await offers.stop();
    expect([code, of("skipped"), of("not_offered")]).toEqual([0, ["websocket"], ["test order"]]);
  });

  test("passes over metrics that are not open to it", async () => {
    const closed = startSpoiler(app.url, (path) => (path === "/metrics" ? problem(403) : null));
    const { code, of } = await smoke(closed.url, "--key-file", keyFile);
    await closed.stop();
    expect([code, of("skipped")]).toEqual([0, ["metrics"]]);
  });

  test("of nothing at all fails every check that asks", async () => {
    const gone = startSpoiler(app.url, () => null);
    await gone.stop();
    const { code, of } = await smoke(gone.url, "--key-file", keyFile);
    expect([code, of("ok"), of("skipped")]).toEqual([1, [], ["websocket", "test order"]]);
  });

  const noKey = join(folder, "no-key");
  test.each([
    [["ftp://127.0.0.1"], "no server's address"],
    [["127.0.0.1:8080"], "no server's address"],
    [["http://user:secret@127.0.0.1:1"], "holds no credentials"],
    [["http://127.0.0.1:1/?key=secret"], "holds no credentials"],
    [["--port", "0"], "port 0"],
    [["http://127.0.0.1:1", "--key-file", noKey], "holds no key"],
  ])("refuses %p as wrong usage, without repeating a secret", async (argv, words) => {
    writeFileSync(noKey, "two words\nand lines\n");
    const { code, err } = await run("smoke", ...argv);
    expect([code, err]).toEqual([2, expect.stringContaining(words)]);
    expect(err).not.toContain("secret");
  });
});
