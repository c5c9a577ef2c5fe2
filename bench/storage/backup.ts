// What a backup costs whoever asks for prices meanwhile: the p99 of 1,000 options a second, alone and while the command `bsopt backup`
// copies and checks a database of a hundred megabytes again and again, in turns. The client rests between two looks,
// so that it leaves a core to the others. Nothing is judged: on two cores client, server and backup want three.
// Run it with the seconds of a round as its argument, few for a smoke test, and the megabytes of the database as its second.

import { createClient } from "@libsql/client/sqlite3";
import { systemClock } from "../../src/foundation/clock";
import { Installation } from "../../tests/harness/executable";
import { requestText } from "../http/price";
import { openLoop } from "../open-loop";

const roundCount = 5;
const requestsPerSecond = 1000;
const rowBytes = 4096;
const rowsAtOnce = 2000;

export interface BackupFigure {
  readonly megabytes: number;
  readonly backupCount: number;
  readonly backupSecondsMedian: number;
  /** Medians of the rounds. */
  readonly aloneP99Milliseconds: number;
  readonly besideP99Milliseconds: number;
}

/** A server's database grown to the size: rows that nobody reads. */
async function fill(installation: Installation, megabytes: number): Promise<void> {
  const client = createClient({ url: `file:${installation.path("bsopt-data", "bsopt.db")}` });
  const rows = Math.ceil((megabytes * 1_000_000) / rowBytes);
  for (let made = 0; made < rows; made += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - made);
    await client.execute({
      sql: `WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 + ?2 - 1)
        INSERT INTO idempotency_answers (principal_id, route, key, body_hash, status, body, created_at)
        SELECT 'bench', 'POST /bench', CAST(i AS TEXT), hex(zeroblob(32)), 200, hex(randomblob(${rowBytes / 2 - 100})), ?3 FROM n`,
      args: [made, count, systemClock.nowMicroseconds()],
    });
  }
  client.close();
}

export async function benchBackup(seconds: number, megabytes: number): Promise<BackupFigure> {
  const installation = new Installation();
  try {
    // Once for the database and the key.
    const first = await installation.serve();
    await first.stop();
    await fill(installation, megabytes);
    const serving = await installation.serve();
    const asked = {
      port: Number(new URL(serving.url).port),
      request: requestText("/api/v1/pricing/price", option, serving.key()),
      requestsPerSecond,
      seconds,
      clock: systemClock,
      restMilliseconds: 0.05,
    };
    await openLoop(asked);
    const alone: number[] = [];
    const beside: number[] = [];
    const backupSeconds: number[] = [];
    for (let round = 0; round < roundCount; round++) {
      alone.push((await openLoop(asked)).p99Milliseconds);
      const { p99Milliseconds, backups } = await besideBackups(installation, asked);
      beside.push(p99Milliseconds);
      backupSeconds.push(...backups);
    }
    await serving.stop();
    return {
      megabytes,
      backupCount: backupSeconds.length,
      backupSecondsMedian: medianOf(backupSeconds),
      aloneP99Milliseconds: medianOf(alone),
      besideP99Milliseconds: medianOf(beside),
    };
  } finally {
    installation.remove();
  }
}

const option = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  volatility: 0.2,
};

async function besideBackups(
  installation: Installation,
  asked: Parameters<typeof openLoop>[0],
): Promise<{ p99Milliseconds: number; backups: number[] }> {
  const backups: number[] = [];
  let isOver = false;
  const backingUp = async () => {
    while (!isOver) {
      const begun = systemClock.monotonicMilliseconds();
      const { code, stderr } = await installation.run(["backup", `copies/${systemClock.nowMicroseconds()}`]);
      if (code !== 0) throw new Error(`bsopt backup: ${stderr}`);
      backups.push((systemClock.monotonicMilliseconds() - begun) / 1000);
    }
  };
  const running = backingUp();
  const { p99Milliseconds } = await openLoop(asked);
  isOver = true;
  await running;
  return { p99Milliseconds, backups };
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1]!;
}

if (import.meta.main) {
  const figure = await benchBackup(Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 160));
  const { megabytes, backupCount, backupSecondsMedian, aloneP99Milliseconds, besideP99Milliseconds } = figure;
  process.stdout.write(
    `pricing at ${requestsPerSecond}/s: p99 ${aloneP99Milliseconds.toFixed(2)} ms alone, ${besideP99Milliseconds.toFixed(2)} ms beside backups of ${megabytes} MB (${backupCount} of them, ${backupSecondsMedian.toFixed(2)} s each)\n`,
  );
  process.exit(0);
}
