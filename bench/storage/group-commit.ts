// Group commit against one commit a write, in one run on one machine: the same rows, the same fsync, once with N
// callers writing at once and once with each waiting for the one before. Prints writes a second and the ratio, which is
// the figure that counts; run it with a number of writes as its argument, few for a smoke test.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";
import { systemRandom } from "../../src/foundation/random";
import { openStorage, type Storage } from "../../src/storage/storage";
import { idempotencyAnswers } from "../../src/storage/table";

export interface GroupCommitFigure {
  readonly callerCount: number;
  readonly writesPerSecond: number;
  /** Against one caller in the same run. */
  readonly ratio: number;
  /** Writes in one transaction, on average. */
  readonly writesPerGroup: number;
}

/** Makes so many writes with so many callers at once: writes a second, and writes in a transaction. */
export async function measure(
  storage: Storage,
  callerCount: number,
  writeCount: number,
): Promise<{ rate: number; perGroup: number }> {
  const before = storage.statistics();
  let next = 0;
  const caller = async () => {
    while (next < writeCount) {
      const key = `${callerCount}-${next++}`;
      await storage.write((tx) =>
        tx.insert(idempotencyAnswers).values({
          principalId: "bench",
          route: crypto.randomUUID(),
          key,
          bodyHash: "0".repeat(64),
          status: 201,
          body: "{}",
          createdAt: tx.nowMicroseconds,
        }),
      );
    }
  };
  const begunAt = performance.now();
  await Promise.all(Array.from({ length: callerCount }, caller));
  const seconds = (performance.now() - begunAt) / 1000;
  const after = storage.statistics();
  return {
    rate: (after.writeCount - before.writeCount) / seconds,
    perGroup: (after.writeCount - before.writeCount) / (after.groupCount - before.groupCount),
  };
}

/** Runs every count of callers three times, interleaved, and takes each one's best. */
export async function benchGroupCommit(writeCount: number): Promise<GroupCommitFigure[]> {
  const folder = mkdtempSync(join(tmpdir(), "bsopt-bench-"));
  const storage = await openStorage({
    url: `file:${join(folder, "bench.db")}`,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  try {
    const callerCounts = [1, 16, 64, 256];
    const best = new Map<number, { rate: number; perGroup: number }>();
    for (let round = 0; round < 3; round++) {
      for (const callerCount of callerCounts) {
        const figure = await measure(storage, callerCount, writeCount);
        if (figure.rate > (best.get(callerCount)?.rate ?? 0)) best.set(callerCount, figure);
      }
    }
    const alone = best.get(1)!.rate;
    return callerCounts.map((callerCount) => {
      const { rate, perGroup } = best.get(callerCount)!;
      return { callerCount, writesPerSecond: rate, ratio: rate / alone, writesPerGroup: perGroup };
    });
  } finally {
    await storage.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const figures = await benchGroupCommit(Number(process.argv[2] ?? 3000));
  process.stdout.write("callers  writes/s  writes/group  ratio to one caller\n");
  for (const { callerCount, writesPerSecond, writesPerGroup, ratio } of figures) {
    const cells = [callerCount, Math.round(writesPerSecond), writesPerGroup.toFixed(1), ratio.toFixed(2)];
    process.stdout.write(`${cells.map((cell, index) => String(cell).padStart([7, 8, 12, 19][index]!)).join("  ")}\n`);
  }
}
