// `bsopt replay` against the whole application over its socket, and against a server that is busy, gone for a while, or does not want it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { recordingLine } from "../../../src/adapters/feeds/recording";
import { SimulatedMarket } from "../../../src/adapters/feeds/simulated-market";
import { replayCommand } from "../../../src/commands/replay";
import { type Clock, systemClock } from "../../../src/foundation/clock";
import { startApp } from "../../harness/app";
import { recordedIo } from "../../harness/spoiler";
import { temporaryFolder } from "../../harness/storage";

let app: Awaited<ReturnType<typeof startApp>>;
afterAll(() => app.stop());
const folder = temporaryFolder();
const keyFile = join(folder, "data", "admin-api-key");
const session = join(folder, "session.ndjson.zst");
const quoteCount = 1_200;
beforeAll(async () => {
  app = await startApp(folder);
  const market = new SimulatedMarket({
    ...{
      seed: 4,
      underlyings: [{ symbol: "SPX", spot: 5_800 }],
      expiryCount: 2,
      strikeCount: 10,
      ticksPerSecond: 1_000,
    },
    startAt: systemClock.nowMicroseconds() - 10_000_000n,
  });
  const lines = Array.from({ length: quoteCount }, () => {
    const { at, quotes } = market.next();
    return recordingLine({ receivedAt: at, quote: quotes[0]! });
  });
  writeFileSync(session, Bun.zstdCompressSync(`${lines.join("")}nonsense\n`));
});

const waits: number[] = [];
/** Long waits are noted and cut short. */
const clock: Clock = {
  ...systemClock,
  sleep: (milliseconds, signal) => {
    waits.push(milliseconds);
    return systemClock.sleep(Math.min(milliseconds, 5), signal);
  },
};

const replay = (...argv: string[]) =>
  recordedIo((io) => new Command("bsopt").addCommand(replayCommand({ io, clock })), ["replay", ...argv]);

/** Answers by turns; what it was sent is kept. */
function busyServer(answers: readonly (() => Response)[]) {
  const bodies: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      bodies.push(await request.text());
      return answers[Math.min(bodies.length, answers.length) - 1]!();
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, bodies, stop: () => server.stop(true) };
}
const taken = () => Response.json({ accepted: 1, duplicates: 0, late: 0, rejected_count: 0, rejected: [] });

describe("S4.30 bsopt replay", () => {
  test("sends all of a recording, tells what became of it, and a second time changes nothing", async () => {
    const first = await replay(session, app.url, "--key-file", keyFile, "--speed", "0", "--json");
    expect([first.code, first.err.split("\n").length]).toEqual([0, 2]);
    const { unreadable, sent, accepted, ...others } = JSON.parse(first.out);
    expect({ unreadable, sent }).toEqual({ unreadable: 1, sent: quoteCount });
    expect(accepted).toBeGreaterThan(quoteCount * 0.9);
    expect(accepted + others.duplicates + others.late + others.rejected).toBe(quoteCount);
    expect(first.err).toContain(`line ${quoteCount + 1}: this is not JSON`);
    const again = await replay(session, app.url, "--key-file", keyFile, "--speed", "0", "--json");
    expect(JSON.parse(again.out).accepted).toBe(0);
  });

  test("waits for a server that is busy as long as that asks, and sends the same again", async () => {
    const busy = () => Response.json({ code: "MARKET_BUSY" }, { status: 503, headers: { "retry-after": "7" } });
    const server = busyServer([busy, busy, taken]);
    try {
      waits.length = 0;
      const { code, out } = await replay(session, server.url, "--key-file", keyFile, "--speed", "0");
      expect(code).toBe(0);
      expect(out).toContain(`${quoteCount} quotes sent: 3 accepted`);
      expect(server.bodies).toHaveLength(5);
      expect(server.bodies[1]).toBe(server.bodies[0]!);
      expect(waits.slice(0, 2)).toEqual([7000, 7000]);
      const sizes = server.bodies.map((body) => JSON.parse(body).quotes.length);
      expect(sizes).toEqual([500, 500, 500, 500, 200]);
    } finally {
      await server.stop();
    }
  });

  test("keeps the recording's pace, times the speed", async () => {
    const server = busyServer([taken]);
    const path = join(folder, "slow.csv");
    writeFileSync(path, "symbol,ts,last\nSPX,2026-11-20T15:00:00Z,1\nSPX,2026-11-20T15:00:02Z,2\n");
    try {
      const started = systemClock.monotonicMilliseconds();
      await replay(path, server.url, "--key-file", keyFile, "--speed", "10");
      expect(systemClock.monotonicMilliseconds() - started).toBeGreaterThanOrEqual(199);
      expect(server.bodies).toHaveLength(2);
    } finally {
      await server.stop();
    }
  });

  test.each([
    ["a refusal", () => Response.json({ code: "PERMISSION_DENIED", detail: "no" }, { status: 403 }), 1],
    ["a server that stays busy", () => new Response("", { status: 503 }), 20],
  ])("ends with code 1 at %s", async (_, answer, asked) => {
    const server = busyServer([answer]);
    try {
      const { code, err } = await replay(session, server.url, "--key-file", keyFile, "--speed", "0");
      expect(code).toBe(1);
      expect(err).toContain("The quotes were not taken");
      expect(server.bodies).toHaveLength(asked);
    } finally {
      await server.stop();
    }
  });

  test.each([["-1"], ["fast"], ["1e9"], ["2000000"]])("refuses the speed %s", async (speed) => {
    expect((await replay(session, app.url, "--key-file", keyFile, `--speed=${speed}`)).code).toBe(2);
  });
});
