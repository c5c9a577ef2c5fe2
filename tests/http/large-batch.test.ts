// A large batch over a real socket: whoever waits for it may leave, and then nothing more is computed and nothing is logged as our
// failure; too many at once are told when to come back; a single option beside one is answered before it.

import { afterEach, describe, expect, test } from "bun:test";
import { createEngine, type Engine, type PriceRequest } from "../../src/engine/engine";
import { pricingRoutes } from "../../src/features/pricing";
import { createPricing } from "../../src/features/pricing/service";
import { systemClock } from "../../src/foundation/clock";
import { type Log, silentLog } from "../../src/foundation/log";
import { kernelWasmBytes } from "../../src/storage/assets";
import { testServer } from "../harness/http";
import { example, pricingDependencies } from "../harness/pricing";
import { realWorkers, until } from "../harness/threads";

const rows = 5000;
/** What the engine is given in place of a batch, so that it takes a while without a body of that size. */
const inflatedRows = 8_000_000;
const chunkRows = 2048;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function open(workers: number) {
  const wasmBytes = kernelWasmBytes();
  const real = createEngine({ wasmBytes, version: "test", workers: realWorkers(workers), batchesMax: 2 });
  const inflated = (request: PriceRequest): PriceRequest => ({
    ...request,
    count: inflatedRows,
    isCall: true,
    inputs: { ...request.inputs, strike: 105 },
    outputs: ["price"],
  });
  const engine: Engine = {
    ...real,
    priceAsync: (request, options) => real.priceAsync(request.count === rows ? inflated(request) : request, options),
  };
  const pricing = createPricing({ engine, clock: systemClock, batchRowsMax: 100_000 });
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (_, message) => errors.push(message) };
  const server = testServer({ features: [pricingRoutes(pricingDependencies(pricing))], log, clock: systemClock });
  const { url } = server.listen();
  stops.push(async () => {
    await real.stop();
    await server.server.drain();
  });
  const post = (path: string, body: object, signal?: AbortSignal) =>
    fetch(`${url}/api/v1/pricing/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", "x-api-key": "bso_test_viewer" },
      ...(signal && { signal }),
    });
  const large = { ...example, strike: new Array<number>(rows).fill(105) };
  return { engine: real, errors, post, large };
}

describe("S4.64 a large batch", () => {
  test.each([0, 1])("whose client goes away is computed no further, with %d workers", async (workers) => {
    const { engine, errors, post, large } = open(workers);
    const leaving = new AbortController();
    const asked = post("batch", large, leaving.signal).catch((error: Error) => error.name);
    await until(() => engine.activity.ownChunks > 3);
    leaving.abort();
    expect(await asked).toBe("AbortError");
    await until(() => engine.activity.batches === 0);
    expect(engine.activity.batchesDropped).toBe(1);
    const { ownChunks } = engine.activity;
    expect(ownChunks).toBeLessThan(inflatedRows / chunkRows);
    const single = await post("price", example);
    expect(single.status).toBe(200);
    expect(engine.activity.ownChunks).toBe(ownChunks);
    expect(errors).toEqual([]);
  });

  test("lets a single option beside it through at once", async () => {
    const { engine, post, large } = open(0);
    const leaving = new AbortController();
    const asked = post("batch", large, leaving.signal).catch(() => null);
    await until(() => engine.activity.ownChunks > 3);
    expect((await post("price", example)).status).toBe(200);
    expect(engine.activity.batches).toBe(1);
    leaving.abort();
    await asked;
    await until(() => engine.activity.batches === 0);
  });

  test("S2.41 is refused with a time to come back where too many are under way; small ones are not", async () => {
    const { engine, post, large } = open(0);
    const leaving = new AbortController();
    const running = [1, 2].map(() => post("batch", large, leaving.signal).catch(() => null));
    await until(() => engine.activity.batches === 2);
    const refused = await post("batch", large);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ code: "BATCHES_WAITING", retryable: true });
    expect((await post("batch", { ...example, strike: [100, 105] })).status).toBe(200);
    leaving.abort();
    await Promise.all(running);
    await until(() => engine.activity.batches === 0);
  });
});
