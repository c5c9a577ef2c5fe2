// A second process on one database that sends what the outbox holds: it tells each message on its standard output, and where told so
// kills itself between sending and deleting. Arguments: the database's address, and "send" or "die".

import { systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";
import { systemRandom } from "../../src/foundation/random";
import { createOutbox } from "../../src/storage/outbox";
import { openStorage } from "../../src/storage/storage";

const [url = "", act = "send"] = process.argv.slice(2);
const storage = await openStorage({ url, clock: systemClock, random: systemRandom, log: silentLog });
const outbox = createOutbox({
  storage,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  handlers: {
    test: async (payload) => {
      await Bun.write(Bun.stdout, `${JSON.stringify(payload)}\n`);
      if (act === "die") process.kill(process.pid, "SIGKILL");
    },
  },
});
await Bun.write(Bun.stdout, '"ready"\n');
// The parent says when to begin, so that two begin together.
for await (const _ of Bun.stdin.stream()) break;
await outbox.sendDue();
await storage.close();
process.exit(0);
