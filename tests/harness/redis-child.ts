// A process that takes from one shared bucket as fast as it can for a while, for tests of several processes: argument 1 is
// Redis's URL, 2 and 3 the pace, 4 the milliseconds. It begins at a line on standard input and prints how many it got.

import { createRedisBucketStore } from "../../src/adapters/redis/bucket-store";
import { systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";

const [url = "", perMinute, burst, milliseconds] = process.argv.slice(2);
const store = createRedisBucketStore({
  url,
  clock: systemClock,
  log: silentLog,
  local: null,
  timeoutMilliseconds: 5_000,
});
const policy = { name: "shared", perMinute: Number(perMinute), burst: Number(burst) };
await store.open();
process.stdout.write("ready\n");
for await (const _ of Bun.stdin.stream()) break;
const firstMicroseconds = Number(systemClock.nowMicroseconds());
let lastMicroseconds = firstMicroseconds;
let taken = 0;
let asked = 0;
while (lastMicroseconds < firstMicroseconds + Number(milliseconds) * 1000) {
  lastMicroseconds = Number(systemClock.nowMicroseconds());
  const decisions = await Promise.all(Array.from({ length: 4 }, () => store.take("everybody", policy)));
  asked += decisions.length;
  taken += decisions.filter(({ allowed }) => allowed).length;
}
process.stdout.write(`${JSON.stringify({ taken, asked, firstMicroseconds, lastMicroseconds })}\n`);
store.close();
process.exit(0);
