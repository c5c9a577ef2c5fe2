// The bench of three times the capacity, run tiny: that it floods, counts and judges what it says, whatever the figures are.

import { expect, test } from "bun:test";
import { type FloodKind, flood } from "../../../bench/flood";
import { faultsOf, goodPerSecond, type OverloadFigure } from "../../../bench/http/overload";
import { systemClock } from "../../../src/foundation/clock";

const kind = { requests: [Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n")], usefulMilliseconds: 1000 };

/** A server that answers each of the paths in a way of its own. */
function answering(answer: (path: string, index: number) => Response | Promise<Response>) {
  let count = 0;
  return Bun.serve({ port: 0, fetch: (request) => answer(new URL(request.url).pathname, count++) });
}

test("S2.41 a flood asks more than is answered, tells what was due from what was sent, and closed connections are opened again", async () => {
  const server = answering(async (_, index) => {
    await Bun.sleep(5);
    return new Response("x".repeat(300), { headers: index % 3 === 0 ? { connection: "close" } : {} });
  });
  const figure = await flood({
    port: server.port!,
    kinds: [{ ...kind, name: "any", perThousand: 1000 }],
    connections: 4,
    requestsPerSecond: 20_000,
    seconds: 0.4,
    clock: systemClock,
  });
  await server.stop(true);
  expect(figure.dueCount).toBe(8000);
  expect(figure.sentCount).toBeLessThan(4000);
  expect(figure.kinds[0]!.goodCount).toBeGreaterThan(20);
  expect(figure.kinds[0]).toMatchObject({ failedCount: 0, shedCount: 0, lateCount: 0 });
});

test("S2.41 refusals with a time to retry, answers too late and everything else are told apart by kind", async () => {
  const server = answering(async (path) => {
    if (path === "/shed") return new Response("no", { status: 503, headers: { "retry-after": "1" } });
    if (path === "/bare") return new Response("no", { status: 503 });
    if (path === "/late") await Bun.sleep(30);
    return new Response(
      new ReadableStream({
        async start(controller) {
          controller.enqueue(Buffer.from("part"));
          await Bun.sleep(1);
          controller.enqueue(Buffer.from("end"));
          controller.close();
        },
      }),
    );
  });
  const kinds = ["good", "late", "shed", "bare"].map(
    (name): FloodKind => ({
      name,
      requests: [Buffer.from(`GET /${name} HTTP/1.1\r\nHost: a\r\n\r\n`)],
      perThousand: 250,
      usefulMilliseconds: name === "late" ? 10 : 1000,
    }),
  );
  const figure = await flood({
    port: server.port!,
    kinds,
    connections: 8,
    requestsPerSecond: null,
    seconds: 0.5,
    clock: systemClock,
  });
  await server.stop(true);
  const zero = { goodCount: 0, lateCount: 0, shedCount: 0, failedCount: 0 };
  const some = expect.any(Number);
  expect(figure.kinds).toEqual([
    { ...zero, name: "good", goodCount: some },
    { ...zero, name: "late", lateCount: some },
    { ...zero, name: "shed", shedCount: some },
    { ...zero, name: "bare", failedCount: some },
  ]);
  for (const { goodCount, lateCount, shedCount, failedCount } of figure.kinds)
    expect(goodCount + lateCount + shedCount + failedCount).toBeGreaterThan(2);
  expect(figure.failures[0]).toBe("bare: status 503");
});

test("S2.41 each bound that is broken is a fault, and slow probes only where the core was the server's", () => {
  const counts = { name: "single", goodCount: 700, lateCount: 0, shedCount: 0, failedCount: 0 };
  const measured = { dueCount: 0, sentCount: 0, p50Milliseconds: 1, p99Milliseconds: 1, failures: [] };
  const figure: OverloadFigure = {
    load: "single options",
    peak: { ...measured, kinds: [{ ...counts, goodCount: 1000 }], seconds: 1 },
    flood: { ...measured, kinds: [counts], seconds: 1 },
    goodShare: 0.7,
    coreShare: 0.95,
    residentBytes: 1e9 - 1,
    healthMilliseconds: [1, 99],
  };
  expect(goodPerSecond(figure.peak)).toBe(1000);
  expect(faultsOf(figure)).toEqual([]);
  const broken = { goodShare: 0.69, residentBytes: 1e9, healthMilliseconds: [1, 100] };
  for (const [name, value] of Object.entries(broken)) expect(faultsOf({ ...figure, [name]: value })).toHaveLength(1);
  expect(faultsOf({ ...figure, healthMilliseconds: [100], coreShare: 0.5 })).toEqual([]);
  const failed = { ...figure.flood, kinds: [{ ...counts, failedCount: 1 }] };
  expect(faultsOf({ ...figure, flood: failed })).toHaveLength(1);
});
