// What keeping the market's log costs: 20,000 quotes a second of 20 underlyings with 250 options each, appended as a market would. Says the share of a core (the
// making of the quotes included), the longest the event loop stood still after the first two seconds, and the bytes a quote takes.
//
//   bun bench/storage/archive.ts [SECONDS]

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bookWords } from "../../src/app/market-archive";
import { everyMarketTable } from "../../src/app/tables";
import { type BookEntry, defaultBookSettings } from "../../src/book/entries";
import { createEngine } from "../../src/engine/engine";
import { createArchive } from "../../src/features/archive/service";
import { systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";
import { systemRandom } from "../../src/foundation/random";
import { kernelWasmBytes } from "../../src/storage/assets";
import { createBatchedFile } from "../../src/storage/batched-file";
import { createLongWork } from "../../src/storage/long-work";
import { migrations } from "../../src/storage/market-migrations-manifest";

const quotesPerMillisecond = 20;
const underlyingCount = 20;
const optionCount = 250;
const settledMilliseconds = 2_000;

const millisecondsMax = 1_000 * Number(process.argv[2] ?? 12);
const folder = mkdtempSync(join(tmpdir(), "bsopt-bench-"));
const surroundings = { clock: systemClock, random: systemRandom, log: silentLog };
const longWork = createLongWork(join(import.meta.dir, "../../src/main.ts"));
const path = join(folder, "market.db");
const file = createBatchedFile({ path, tables: everyMarketTable, migrations, longWork, ...surroundings });
const words = bookWords(createEngine({ wasmBytes: kernelWasmBytes(), version: "bench" }), defaultBookSettings);
const retention = { quotesDays: 30, checkpointsHours: 24 };
const archive = createArchive({ file, words, retention, ...surroundings });

let sentCount = 0;
function quote(): BookEntry {
  const at = systemClock.nowMicroseconds();
  const bid = 10 + (sentCount % 97) / 20;
  const symbol = `U${sentCount % underlyingCount}261218C${String(100_000 + ((sentCount * 7) % optionCount) * 1_000).padStart(8, "0")}`;
  const sizes = { bidSize: sentCount % 50, askSize: sentCount % 40 };
  const told = { last: bid, volume: sentCount, openInterest: Number.NaN, sourceSequence: sentCount };
  return { kind: "quote", receivedAt: at, quote: { symbol, at: at - 300n, bid, ask: bid + 0.05, ...sizes, ...told } };
}

const begunAt = performance.now();
const before = process.cpuUsage();
let longestHold = 0;
for (let now = 0; now < millisecondsMax; now = performance.now() - begunAt) {
  const batches = Array.from({ length: underlyingCount }, (): BookEntry[] => []);
  for (const due = now * quotesPerMillisecond; sentCount < due; sentCount++)
    batches[sentCount % underlyingCount]!.push(quote());
  for (const [index, batch] of batches.entries()) if (batch.length > 0) archive.append(`U${index}`, batch);
  const sleptAt = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 2));
  if (now > settledMilliseconds) longestHold = Math.max(longestHold, performance.now() - sleptAt - 2);
}
const { user, system } = process.cpuUsage(before);
const core = (user + system) / 1_000 / (performance.now() - begunAt);
await archive.kept();
const { keptCount, droppedCount, writtenBytes, flushCount } = archive.statistics();
process.stdout.write(
  `${JSON.stringify({ keptCount, droppedCount, flushCount, core: Number(core.toFixed(3)), longest_hold_ms: Number(longestHold.toFixed(1)), bytes_per_quote: Number((writtenBytes / keptCount).toFixed(1)) })}\n`,
);
await archive.close();
longWork.stop();
rmSync(folder, { recursive: true });
process.exit(0);
