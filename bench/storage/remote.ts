// The database on a libSQL server against the database in a file, in one run on one machine: the same rows, both syncing each commit,
// with one caller and with many. Prints writes a second and the ratio, which is the figure that counts. Where there is no server to be
// had it says so and measures nothing.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";
import { systemRandom } from "../../src/foundation/random";
import { openStorage } from "../../src/storage/storage";
import { hasSqld, SqldServer } from "../../tests/harness/sqld";
import { measure } from "./group-commit";

export interface RemoteFigure {
  readonly callerCount: number;
  readonly fileWritesPerSecond: number;
  readonly serverWritesPerSecond: number;
  /** The server's against the file's in the same run. */
  readonly ratio: number;
}

/** Runs every count of callers three times, the two places in turn, and takes each one's best; null without a server. */
export async function benchRemote(writeCount: number): Promise<RemoteFigure[] | null> {
  if (!hasSqld) return null;
  const folder = mkdtempSync(join(tmpdir(), "bsopt-bench-"));
  const server = await SqldServer.start();
  const common = { clock: systemClock, random: systemRandom, log: silentLog };
  const file = await openStorage({ url: `file:${join(folder, "bench.db")}`, ...common });
  const remote = await openStorage({ url: server.url, ...common });
  try {
    const figures: RemoteFigure[] = [];
    for (const callerCount of [1, 16, 256]) {
      let fileWritesPerSecond = 0;
      let serverWritesPerSecond = 0;
      for (let round = 0; round < 3; round++) {
        fileWritesPerSecond = Math.max(fileWritesPerSecond, (await measure(file, callerCount, writeCount)).rate);
        serverWritesPerSecond = Math.max(serverWritesPerSecond, (await measure(remote, callerCount, writeCount)).rate);
      }
      const ratio = serverWritesPerSecond / fileWritesPerSecond;
      figures.push({ callerCount, fileWritesPerSecond, serverWritesPerSecond, ratio });
    }
    return figures;
  } finally {
    await file.close();
    await remote.close();
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const figures = await benchRemote(Number(process.argv[2] ?? 1000));
  if (figures === null) process.stdout.write("no libSQL server here: nothing was measured\n");
  else process.stdout.write("callers  file writes/s  server writes/s  ratio\n");
  for (const { callerCount, fileWritesPerSecond, serverWritesPerSecond, ratio } of figures ?? []) {
    const cells = [callerCount, Math.round(fileWritesPerSecond), Math.round(serverWritesPerSecond), ratio.toFixed(2)];
    process.stdout.write(`${cells.map((cell, index) => String(cell).padStart([7, 13, 15, 5][index]!)).join("  ")}\n`);
  }
}
