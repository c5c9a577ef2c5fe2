// `npm run soak`: builds the executable if it is stale and puts it under a mix of load for a while (bench/soak); fails where memory, open
// files, threads, the write-ahead log or latencies surely grow beyond what is stated there. `--minutes N` or `--hours N` says how long
// (3 minutes by default).

import { soak } from "../bench/soak/soak";
import { isStale } from "./fingerprint.mjs";

const [unit = "--minutes", amount = "3", ...rest] = process.argv.slice(2);
const minutes = Number(amount) * (unit === "--hours" ? 60 : 1);
if (!["--minutes", "--hours"].includes(unit) || rest.length > 0 || !(minutes >= 1 && minutes <= 7 * 24 * 60)) {
  process.stderr.write("usage: npm run soak -- [--minutes N | --hours N], from a minute to a week\n");
  process.exit(2);
}
if (isStale()) await import("./binary");
const { isFine } = await soak({ minutes, say: (line) => void process.stdout.write(`${line}\n`) });
process.stdout.write(isFine ? "soak: nothing grew beyond what it may\n" : "soak: FAILED\n");
process.exit(isFine ? 0 : 1);
