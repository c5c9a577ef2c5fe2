// A process of its own for storage tests: it holds the lock, writes until it is killed, or starts beside others.
// Speaks in lines on standard output; each line is written before the next step begins.
//
//   hold URL                     takes the write lock and says `held`; on `commit` or `rollback` ends it and says `released`
//   acknowledge URL BATCH COUNT  writes COUNT works (0: for ever), 16 at a time, each of three rows; says `ack ID` after each
//   start URL                    opens and closes the real database; says `started VERSION`
//   fill URL                     writes until the disk is full, says what it met, makes room and goes on
//   audit URL COUNT              records COUNT events in the real database's audit log, 8 at a time; says `done`
//   count URL BATCH              says `count N`, the rows of that batch, read by a connection of its own

import { rmSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { createClient } from "@libsql/client/sqlite3";
import { count, eq } from "drizzle-orm";
import { createAudit } from "../../src/features/audit/service";
import { systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";
import { systemRandom } from "../../src/foundation/random";
import { migrationStatus } from "../../src/storage/migrate";
import { openStorage } from "../../src/storage/storage";
import { auditKey, eventOf } from "./audit";
import { itemMigrations, items } from "./storage-schema";

const say = (line: string) => writeSync(1, `${line}\n`);
const [mode, url, batch = "", countText = "0"] = process.argv.slice(2);
if (mode === undefined || url === undefined) throw new Error("MODE URL");
const base = { url, clock: systemClock, random: systemRandom, log: silentLog };
const openItems = () => openStorage({ ...base, migrations: itemMigrations, tables: [items] });

switch (mode) {
  case "hold": {
    const client = createClient({ url, intMode: "bigint", concurrency: 1 });
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO items (id, batch, part) VALUES ('held', 'held', 0)");
    say("held");
    for await (const chunk of console) {
      if (chunk.trim() === "commit") await transaction.commit();
      else await transaction.rollback();
      break;
    }
    client.close();
    say("released");
    break;
  }
  case "acknowledge": {
    const storage = await openItems();
    say("open");
    const countMax = Number(countText) || Number.POSITIVE_INFINITY;
    let next = 0;
    const writer = async () => {
      while (next < countMax) {
        const id = `${batch}-${next++}`;
        await storage.write(async (tx) => {
          await tx.insert(items).values({ id: `${id}/0`, batch: id, part: 0 });
          await tx.nested(async (inner) => {
            await inner.insert(items).values({ id: `${id}/1`, batch: id, part: 1 });
          });
          await tx.insert(items).values({ id: `${id}/2`, batch: id, part: 2 });
        });
        say(`ack ${id}`);
      }
    };
    await Promise.all(Array.from({ length: 16 }, writer));
    await storage.close();
    say("done");
    break;
  }
  case "start": {
    const storage = await openStorage(base);
    await storage.close();
    say(`started ${(await migrationStatus(base)).version}`);
    break;
  }
  case "fill": {
    const storage = await openItems();
    const kept: string[] = [];
    const big = (id: string) =>
      storage.write(async (tx) => {
        await tx.insert(items).values({ id: `${id}/0`, batch: "x".repeat(20_000), part: 0 });
        await tx.insert(items).values({ id: `${id}/1`, batch: "x".repeat(20_000), part: 1 });
      });
    /** Every acknowledged work is there with both parts, and no other. */
    const requireWhole = async (when: string) => {
      const rows = await storage.read.select({ id: items.id }).from(items).orderBy(items.id);
      const expected = kept.flatMap((id) => [`${id}/0`, `${id}/1`]).sort();
      const found = rows.map(({ id }) => id).sort();
      say(JSON.stringify(found) === JSON.stringify(expected) ? `whole ${when}` : `NOT WHOLE ${when}: ${found.join()}`);
    };
    const ballast = join(dirname(url.slice("file:".length)), "ballast");
    writeFileSync(ballast, Buffer.alloc(600_000));
    for (let index = 0; index < 1000; index++) {
      const ids = [`${index}-a`, `${index}-b`];
      const results = await Promise.allSettled(ids.map(big));
      const refused = results.find((result) => result.status === "rejected");
      for (const [at, id] of ids.entries()) if (results[at]?.status === "fulfilled") kept.push(id);
      if (refused?.status !== "rejected") continue;
      say(`full ${String((refused.reason as { code?: string }).code)}`);
      break;
    }
    await requireWhole("after full");
    rmSync(ballast);
    await big("later");
    kept.push("later");
    say("went on");
    await requireWhole("at the end");
    await storage.close();
    break;
  }
  case "audit": {
    const storage = await openStorage(base);
    const audit = createAudit({ ...base, storage, key: auditKey });
    let next = 0;
    const writer = async () => {
      while (next++ < Number(batch)) await storage.write((tx) => audit.append(tx, eventOf()));
    };
    await Promise.all(Array.from({ length: 8 }, writer));
    await storage.close();
    say("done");
    break;
  }
  case "count": {
    const storage = await openItems();
    const rows = await storage.read.select({ rows: count() }).from(items).where(eq(items.batch, batch));
    say(`count ${rows[0]!.rows}`);
    await storage.close();
    break;
  }
  default:
    throw new Error(`unknown mode ${mode}`);
}
