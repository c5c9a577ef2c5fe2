// Recordings as they are written: what was taken can be played again, a file an hour, whole after any end, and never more than may be kept.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Recorder } from "../../../../src/adapters/feeds/recorder";
import { type RecordedQuote, readRecordingFile } from "../../../../src/adapters/feeds/recording";
import { ManualClock } from "../../../../src/foundation/clock";
import { silentLog } from "../../../../src/foundation/log";
import { quoteOf } from "../../../harness/feeds";

const start = 1_795_186_800_000_000n; // 2026-11-20T15:00:00Z
const hour = 3_600_000_000n;
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "recorder-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const recorder = (bytesMax = 2 ** 30, place = folder) =>
  new Recorder({ folder: place, bytesMax, clock: new ManualClock(start), log: silentLog });

const quotes = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) =>
    quoteOf({ symbol: `S${from + index}`, at: start + BigInt(from + index) }),
  );

async function read(name: string): Promise<RecordedQuote[]> {
  const found: RecordedQuote[] = [];
  for await (const item of readRecordingFile(join(folder, name))) if ("quote" in item) found.push(item);
  return found;
}

describe("a recorder", () => {
  test("writes what it was given, with when it was taken, for a replay to read", async () => {
    const recording = recorder();
    recording.record(quotes(3), start + 5n);
    recording.record(quotes(2, 3), start + 6n);
    await recording.flush();
    recording.record(quotes(1, 5), start + 7n);
    await recording.flush();
    const name = "quotes-2026-11-20T15.0000.ndjson.zst";
    expect(readdirSync(folder)).toEqual([name]);
    const expected = quotes(6).map((quote, index) => ({
      quote,
      receivedAt: start + (index < 3 ? 5n : index < 5 ? 6n : 7n),
    }));
    expect(await read(name)).toEqual(expected);
    expect(recording.writtenCount).toBe(6);
    expect(statSync(join(folder, name)).mode & 0o077).toBe(0);
  });

  test("begins a file each hour, also where one flush has quotes of two", async () => {
    const recording = recorder();
    recording.record(quotes(1), start + hour - 1n);
    recording.record(quotes(1), start + hour);
    await recording.flush();
    expect(readdirSync(folder).sort()).toEqual([
      ...["quotes-2026-11-20T15.0000.ndjson.zst", "quotes-2026-11-20T16.0000.ndjson.zst"],
    ]);
  });

  test("never writes behind what another left: its last frame may be cut off", async () => {
    const before = recorder();
    before.record(quotes(2), start);
    await before.flush();
    before.record(quotes(2, 2), start);
    await before.flush();
    const [name] = readdirSync(folder);
    truncateSync(join(folder, name!), statSync(join(folder, name!)).size - 5);
    const after = recorder();
    after.record(quotes(1, 9), start + 1n);
    await after.flush();
    expect(readdirSync(folder)).toHaveLength(2);
    expect((await read(name!)).slice(0, 2).map(({ quote }) => quote)).toEqual(quotes(2));
    expect(await read("quotes-2026-11-20T15.0001.ndjson.zst")).toHaveLength(1);
  });

  test("deletes the oldest recordings and nothing else where they would take more than they may", async () => {
    writeFileSync(join(folder, "keep.txt"), Buffer.alloc(10_000));
    const names = [1, 2, 3, 4].map((day) => `quotes-2026-11-0${day}T15.0000.ndjson.zst`);
    for (const name of names) writeFileSync(join(folder, name), Buffer.alloc(1000));
    const recording = recorder(3_000);
    recording.record(quotes(1), start);
    await recording.flush();
    expect(readdirSync(folder).sort()).toEqual([
      ...["keep.txt", names[2]!, names[3]!, "quotes-2026-11-20T15.0000.ndjson.zst"],
    ]);
  });

  test("that cannot write says so, counts what is lost, and goes on in another file once it can", async () => {
    const place = join(folder, "recordings");
    const recording = recorder(2 ** 30, place);
    writeFileSync(place, "in the way");
    recording.record(quotes(4), start);
    expect(await recording.flush().catch((error) => error)).toBeInstanceOf(Error);
    expect(recording.droppedCount).toBe(4);
    rmSync(place);
    recording.record(quotes(2), start);
    await recording.flush();
    expect(recording.writtenCount).toBe(2);
    expect(readFileSync(join(place, "quotes-2026-11-20T15.0000.ndjson.zst")).length).toBeGreaterThan(0);
  });

  test("holds a bounded amount of what waits, and counts what it could not take", async () => {
    const recording = recorder();
    const many = quotes(20_000);
    for (let round = 0; round < 8; round++) recording.record(many, start);
    expect(recording.droppedCount).toBeGreaterThan(0);
    expect(recording.droppedCount % 20_000).toBe(0);
    await recording.flush();
    expect(recording.writtenCount + recording.droppedCount).toBe(160_000);
  });

  test("flushes nothing into no file", async () => {
    const place = join(folder, "none");
    await recorder(2 ** 30, place).flush();
    expect(readdirSync(folder)).toEqual([]);
  });
});
