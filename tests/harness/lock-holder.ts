// A process of its own that holds a database's write lock again and again, as a badly made backup tool would: 1 to 500 ms each, drawn
// from a seed, with up to 100 ms between. Arguments: the file's path, the seed, or `hold` to hold it until standard input ends. Says
// `held` first, and after a line on standard input how often it held the lock and ends.

import { createClient } from "@libsql/client/sqlite3";
import { seededRandom } from "../../src/foundation/random";

const [path, how = "0"] = process.argv.slice(2);
const client = createClient({ url: `file:${path}`, intMode: "bigint", concurrency: 1, timeout: 10_000 });
let isOver = false;
void (async () => {
  for await (const _ of Bun.stdin.stream()) break;
  isOver = true;
})();

async function hold(lasts: () => Promise<void>): Promise<void> {
  const transaction = await client.transaction("write");
  process.stdout.write("held\n");
  await lasts();
  await transaction.rollback();
}

let holdCount = 0;
if (how === "hold") {
  await hold(async () => {
    while (!isOver) await Bun.sleep(5);
  });
  holdCount = 1;
} else {
  const random = seededRandom(BigInt(how));
  while (!isOver) {
    await hold(() => Bun.sleep(1 + random.unit() * 499));
    holdCount += 1;
    await Bun.sleep(random.unit() * 100);
  }
}
process.stdout.write(`done ${holdCount}\n`);
process.exit(0);
