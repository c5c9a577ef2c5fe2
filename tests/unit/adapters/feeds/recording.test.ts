// Recorded sessions: what is written is read again, in every packing; what is broken is told line by line and the rest is read.

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  parseRecordingLine,
  type RecordedQuote,
  type RecordingFault,
  readRecording,
  readRecordingFile,
  recordingLine,
} from "../../../../src/adapters/feeds/recording";
import { SimulatedMarket } from "../../../../src/adapters/feeds/simulated-market";
import { BsoptError } from "../../../../src/foundation/errors";
import { quoteOf } from "../../../harness/feeds";

async function* pieces(bytes: Uint8Array, size = 997) {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function all(bytes: string | Uint8Array, size?: number): Promise<(RecordedQuote | RecordingFault)[]> {
  const found: (RecordedQuote | RecordingFault)[] = [];
  const source = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  for await (const item of readRecording(pieces(source, size), "session")) found.push(item);
  return found;
}

function session(count: number): RecordedQuote[] {
  const market = new SimulatedMarket({
    ...{ seed: 3, underlyings: [{ symbol: "SPX", spot: 5800 }], expiryCount: 2, strikeCount: 10 },
    ...{ ticksPerSecond: 100, startAt: 1_795_300_000_123_456n },
  });
  const quotes: RecordedQuote[] = [];
  while (quotes.length < count) {
    const tick = market.next();
    for (const quote of tick.quotes) quotes.push({ receivedAt: tick.at + 250n, quote });
  }
  return quotes;
}

describe("S4.30 a recording", () => {
  const recorded = session(500);
  const text = recorded.map(recordingLine).join("");
  const packings = {
    plain: Buffer.from(text),
    gzip: Bun.gzipSync(text),
    zstd: Bun.zstdCompressSync(text),
    "zstd in many frames": Buffer.concat(recorded.map((quote) => Bun.zstdCompressSync(recordingLine(quote)))),
  };

  test.each(Object.entries(packings))(
    "%s gives every quote as it was, to the bit and the microsecond",
    async (_, bytes) => {
      expect(await all(bytes)).toEqual(recorded);
    },
  );

  test("in pieces of one byte gives the same", async () => {
    const few = recorded.slice(0, 20);
    expect(await all(few.map(recordingLine).join(""), 1)).toEqual(few);
  });

  test("whose last frame was cut off gives what stands before it, and a fault for half a line", async () => {
    const frames = recorded.slice(0, 10).map((quote) => Bun.zstdCompressSync(recordingLine(quote)));
    const whole = Buffer.concat(frames);
    const found = await all(whole.subarray(0, whole.length - 9));
    expect(found.slice(0, 9)).toEqual(recorded.slice(0, 9));
    for (const rest of found.slice(9)) expect(rest).toHaveProperty("detail");
  });

  test("as CSV with the same names gives the same, empty cells not told", async () => {
    const csv = [
      "Symbol,TS,bid,ask,bid_size,ask_size,last,volume,open_interest,source_seq",
      "SPX,2026-11-20T15:00:00.5Z,5799.5,5800.5,1,2,5800,10,,7",
      "SPXW261218C05800000,2026-11-20T15:00:01Z,,0.05,,3,,,,",
    ].join("\n");
    const missing = Number.NaN;
    const at = 1_795_186_800_500_000n;
    expect(await all(csv)).toEqual([
      {
        receivedAt: at,
        quote: {
          ...{ symbol: "SPX", at, bid: 5799.5, ask: 5800.5, bidSize: 1, askSize: 2, last: 5800, volume: 10 },
          ...{ openInterest: missing, sourceSequence: 7 },
        },
      },
      {
        receivedAt: at + 500_000n,
        quote: {
          ...{
            symbol: "SPXW261218C05800000",
            at: at + 500_000n,
            bid: missing,
            ask: 0.05,
            bidSize: missing,
            askSize: 3,
          },
          ...{ last: missing, volume: missing, openInterest: missing, sourceSequence: null },
        },
      },
    ]);
  });

  test("as CSV tells rows that are none and reads on", async () => {
    const csv =
      "symbol,ts,bid\nA,2026-11-20T15:00:00Z,1\nA,yesterday,1\nA,2026-11-20T15:00:00Z\nB,2026-11-20T15:00:00Z,x\nC,2026-11-20T15:00:00Z,2\n";
    const found = await all(csv);
    expect(found.map((item) => ("detail" in item ? `${item.line}: ${item.detail}` : item.quote.symbol))).toEqual([
      "A",
      expect.stringMatching(/^3: ts /),
      "4: has another number of fields",
      "5: bid must be a number",
      "C",
    ]);
  });

  test("that is neither kind is refused in words", async () => {
    const refused = all("time;price\n1;2\n").catch((error) => error);
    expect(await refused).toBeInstanceOf(BsoptError);
    expect((await refused).detail).toContain("neither NDJSON nor CSV");
  });

  test("of nothing holds nothing", async () => {
    expect(await all("")).toEqual([]);
  });

  const line = recordingLine({ receivedAt: 1_795_186_800_500_000n, quote: quoteOf({ symbol: "SPX", at: 1n }) }).trim();
  const broken = (change: Record<string, unknown>) => JSON.stringify({ ...JSON.parse(line), ...change });
  test.each([
    ["{", "this is not JSON"],
    ["[1]", "a quote is an object"],
    ["null", "a quote is an object"],
    [broken({ symbol: 5 }), "symbol must be"],
    [broken({ symbol: "" }), "symbol must be"],
    [broken({ symbol: "A".repeat(65) }), "symbol must be"],
    [broken({ ts: 5 }), "ts must be a timestamp"],
    [broken({ ts: "2026-13-01T00:00:00Z" }), "ts names a day"],
    [broken({ received_at: "soon" }), "received_at "],
    [broken({ bid: "1" }), "bid must be a number"],
    [broken({ source_seq: -1 }), "source_seq must be a whole number"],
    [broken({ source_seq: 1.5 }), "source_seq must be a whole number"],
    [broken({ price: 1 }), '"price" is none of'],
  ])("line %s is a fault that says so", (text, detail) => {
    expect(parseRecordingLine(text)).toContain(detail);
  });

  test("with lines too long, of zeros and without sense counts each and keeps its place", async () => {
    const good = `${line}\n`;
    const found = await all(`${good}${"x".repeat(200_000)}\n\n\0\0\0\n${good}${"y".repeat(70_000)}`);
    expect(found.map((item) => ("detail" in item ? item.line : "quote"))).toEqual(["quote", 2, 4, "quote", 6]);
  });

  test("that cannot be opened or unpacked is an error that names it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "recording-"));
    try {
      const path = join(folder, "broken.ndjson.gz");
      writeFileSync(path, Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(50, 7)]));
      for (const name of [path, join(folder, "absent")]) {
        const error = await readRecordingFile(name)
          .next()
          .catch((thrown) => thrown);
        expect(error).toBeInstanceOf(BsoptError);
        expect(error.code).toBe("RECORDING_UNREADABLE");
        expect(error.detail).toContain(name);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
