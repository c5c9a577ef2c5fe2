// A replay keeps the pace of its recording, waits for its taker, and ends.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recordingLine } from "../../../../src/adapters/feeds/recording";
import { ReplayFeed, type ReplayOptions } from "../../../../src/adapters/feeds/replay";
import { ManualClock } from "../../../../src/foundation/clock";
import { CollectingSink, quoteOf, until } from "../../../harness/feeds";

const start = 1_795_186_800_000_000n;
const second = 1_000_000n;
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "replay-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** One quote at each of these seconds. */
function fileOf(name: string, seconds: readonly number[], also = ""): string {
  const path = join(folder, name);
  const lines = seconds.map((at, index) => {
    const receivedAt = start + BigInt(Math.round(at * 1e6));
    return recordingLine({ receivedAt, quote: quoteOf({ symbol: `S${index}`, at: receivedAt - 1000n }) });
  });
  writeFileSync(path, lines.join("") + also);
  return path;
}

function play(options: Partial<ReplayOptions> & { readonly path: string }) {
  const clock = new ManualClock(start + 3_600n * second);
  const feed = new ReplayFeed({ speed: 1, times: "recorded", clock, ...options });
  const sink = new CollectingSink();
  feed.start(sink);
  return { clock, feed, sink };
}

const symbols = (sink: CollectingSink) => sink.taken.map(({ symbol }) => symbol);

describe("S4.30 a replay", () => {
  test("at speed 1 gives each quote when its time has come and not before", async () => {
    const { clock, feed, sink } = play({ path: fileOf("pace", [0, 1, 1, 4]) });
    await until(() => sink.taken.length === 1, "the first quote");
    clock.advance(999);
    await Bun.sleep(5);
    expect(symbols(sink)).toEqual(["S0"]);
    clock.advance(1);
    await until(() => sink.taken.length === 3, "those of the first second");
    clock.advance(2_999);
    await Bun.sleep(5);
    expect(sink.taken).toHaveLength(3);
    expect(feed.state).toBe("live");
    clock.advance(1);
    await until(() => feed.state === "ended", "the end");
    expect(symbols(sink)).toEqual(["S0", "S1", "S2", "S3"]);
    expect(sink.states).toEqual(["live", "ended"]);
    await feed.stop();
    expect(feed.state).toBe("stopped");
  });

  test("at speed 10 takes a tenth of the time", async () => {
    const { clock, feed, sink } = play({ path: fileOf("ten", [0, 10]), speed: 10 });
    await until(() => sink.taken.length === 1, "the first quote");
    clock.advance(999);
    await Bun.sleep(5);
    expect(sink.taken).toHaveLength(1);
    clock.advance(1);
    await until(() => feed.state === "ended", "the end");
    await feed.stop();
  });

  test("at speed 0 waits for no clock, keeps the order, and gives at most 500 quotes at once", async () => {
    const { feed, sink } = play({
      path: fileOf(
        "fast",
        Array.from({ length: 1201 }, (_, index) => index * 60),
      ),
      speed: 0,
    });
    await until(() => feed.state === "ended", "the end");
    expect(symbols(sink)).toEqual(Array.from({ length: 1201 }, (_, index) => `S${index}`));
    expect(sink.batches.map(({ length }) => length)).toEqual([500, 500, 201]);
    expect(feed.confirmed.size).toBe(1201);
    await feed.stop();
  });

  test("S4.34 waits for a taker that is full and loses nothing", async () => {
    const { clock, feed, sink } = play({ path: fileOf("full", [0, 0, 0]), speed: 0 });
    sink.isFull = true;
    await until(() => sink.refusedCount === 1, "the first refusal");
    clock.advance(5);
    await until(() => sink.refusedCount === 2, "another look");
    sink.isFull = false;
    clock.advance(5);
    await until(() => feed.state === "ended", "the end");
    expect(symbols(sink)).toEqual(["S0", "S1", "S2"]);
    await feed.stop();
  });

  test("tells lines it can't read and plays on", async () => {
    const { feed, sink } = play({ path: fileOf("broken", [0, 1], "nonsense\n"), speed: 0 });
    await until(() => feed.state === "ended", "the end");
    expect(sink.taken).toHaveLength(2);
    expect(sink.faults).toEqual(["line 3: this is not JSON"]);
    await feed.stop();
  });

  test("of a file that is not there ends with a fault that names it", async () => {
    const { feed, sink } = play({ path: join(folder, "absent") });
    await until(() => feed.state === "ended", "the end");
    expect(sink.faults.join()).toContain("absent");
    await feed.stop();
  });

  test("gives no more than what is wanted once that was said", async () => {
    const feed = new ReplayFeed({
      ...{ path: fileOf("wanted", [0, 1, 2]), speed: 0, times: "recorded", clock: new ManualClock() },
    });
    const sink = new CollectingSink();
    feed.want(new Set(["S1"]));
    feed.start(sink);
    await until(() => feed.state === "ended", "the end");
    expect(symbols(sink)).toEqual(["S1"]);
    await feed.stop();
  });

  test("with times `now` moves and stretches the venue's moments alike, so that doubles stay doubles", async () => {
    const path = join(folder, "now");
    const quote = quoteOf({ symbol: "A", at: start + 4n * second });
    const first = recordingLine({ receivedAt: start, quote: quoteOf({ symbol: "A", at: start - 2n * second }) });
    writeFileSync(path, first + recordingLine({ receivedAt: start + 4n * second, quote }).repeat(2));
    const { clock, feed, sink } = play({ path, speed: 2, times: "now" });
    const began = clock.nowMicroseconds();
    await until(() => sink.taken.length === 1, "the first quote");
    clock.advance(2000);
    await until(() => feed.state === "ended", "the end");
    expect(sink.taken.map(({ at }) => at - began)).toEqual([-second, 2n * second, 2n * second]);
    expect(sink.taken[1]).toEqual(sink.taken[2]!);
    await feed.stop();
  });

  test("received in a disorder of times goes on at once instead of waiting for what is past", async () => {
    const { clock, feed, sink } = play({ path: fileOf("disorder", [5, 0, 6]) });
    await until(() => sink.taken.length === 2, "the first two");
    clock.advance(1000);
    await until(() => feed.state === "ended", "the end");
    expect(symbols(sink)).toEqual(["S0", "S1", "S2"]);
    await feed.stop();
  });

  test("stopped in the middle of a silence ends at once and gives nothing more", async () => {
    const { feed, sink } = play({ path: fileOf("stopped", [0, 100_000_000]) });
    await until(() => sink.taken.length === 1, "the first quote");
    await feed.stop();
    expect(feed.state).toBe("stopped");
    expect(sink.taken).toHaveLength(1);
    expect(sink.states).toEqual(["live"]);
  });
});
