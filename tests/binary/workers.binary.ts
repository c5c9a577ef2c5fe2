// Threads inside the executable: its own module is their entrance, which only the compiled form can prove. A book of 200,000 options
// through HTTP and through the command line, with threads and without, gives the same bytes; stopping in the middle is clean.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { Installation, readJson, type Serving } from "../harness/executable";

const rows = 200_000;
const threads = 3;
const market = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  volatility: 0.2,
};
const strike = Array.from({ length: rows }, (_, row) => 50 + row / 2000);
const body = JSON.stringify({ ...market, strike, outputs: ["price", "delta"] });

/** Threads of a process, as the system counts them; null elsewhere than on Linux. */
function threadCount(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return null;
  }
}

describe("S4.64 the executable's own threads", () => {
  const installation = new Installation();
  let serving: Serving;
  let alone: Serving;
  const serve = (workers: number, folder: string) =>
    installation.serve({
      args: ["--workers", String(workers), "--data-dir", installation.path(folder), "--batch-rows-max", String(rows)],
    });

  beforeAll(async () => {
    serving = await serve(threads, "with-threads");
    alone = await serve(0, "without");
  });
  afterAll(() => installation.remove());

  const keyOf = (folder: string) => readFileSync(installation.path(folder, "admin-api-key"), "utf8").trim();
  const batch = (server: Serving, folder: string, signal?: AbortSignal) =>
    fetch(`${server.url}/api/v1/pricing/batch`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", "x-api-key": keyOf(folder) },
      ...(signal && { signal }),
    });

  test("price a large batch over HTTP to the same answer as none, and the status tells how many there are", async () => {
    const before = threadCount(serving.pid);
    const answers: string[] = [];
    // Threads are still starting while the first batch is computed; the second has all of them.
    for (let round = 0; round < 2; round++) answers.push(await (await batch(serving, "with-threads")).text());
    expect(JSON.parse(answers[0]!)).toMatchObject({ count: rows });
    expect(answers[1]).toBe(answers[0]!);
    expect(await (await batch(alone, "without")).text()).toBe(answers[0]!);
    if (before !== null) expect(threadCount(serving.pid)!).toBeGreaterThanOrEqual(before + threads);
    const status = await readJson(
      fetch(`${serving.url}/api/v1/status`, { headers: { "x-api-key": keyOf("with-threads") } }),
    );
    expect(status.engine.workers).toBe(threads);
    expect(serving.said()).not.toContain(`"level":"error"`);
  });

  test("leave the server answering when a client goes away in the middle of a large batch", async () => {
    for (let round = 0; round < 5; round++) {
      const leaving = new AbortController();
      const asked = batch(serving, "with-threads", leaving.signal).catch(() => null);
      await fetch(`${serving.url}/health`);
      leaving.abort();
      await asked;
    }
    expect((await batch(serving, "with-threads")).status).toBe(200);
  });

  test("price a file from the command line to the end, in order", async () => {
    const header = "option_type,spot,strike,time_to_expiry,rate,dividend_yield,volatility";
    const lines = strike.map((each) => `call,100,${each},0.5,0.03,0.01,0.2`);
    const { code, stdout, stderr } = await installation.run(
      ["price", "-", "--format", "ndjson", "--outputs", "price"],
      { stdin: `${[header, ...lines].join("\n")}\n` },
    );
    expect({ code, stderr: stderr.replace(/.*\r/g, "") }).toMatchObject({ code: 0 });
    const answered = stdout.trimEnd().split("\n");
    expect(answered).toHaveLength(rows);
    const { price } = await readJson(batch(alone, "without"));
    for (const row of [0, 1, 65_535, 65_536, 131_072, rows - 1]) {
      expect(JSON.parse(answered[row]!)).toMatchObject({ strike: strike[row], price: price[row] });
    }
  }, 30_000);

  test("end with the server, also in the middle of a batch", async () => {
    const asked = batch(serving, "with-threads").then(
      () => null,
      () => null,
    );
    await fetch(`${serving.url}/health`);
    expect(await serving.stop()).toBe(0);
    await asked;
    expect(await alone.stop()).toBe(0);
  });
});
