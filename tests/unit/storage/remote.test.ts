// A database on a real libSQL server: that it keeps every rule the file keeps, and what it answers when the server is killed,
// frozen, relaxed, or its answer to a COMMIT is lost on the way.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { eq, sql } from "drizzle-orm";
import { BsoptError } from "../../../src/foundation/errors";
import { systemRandom } from "../../../src/foundation/random";
import type { Tx } from "../../../src/storage/bind";
import { isForeignKeyViolation, isUniqueViolation } from "../../../src/storage/database-error";
import { type Migration, migrateDown, migrateUp, migrationStatus } from "../../../src/storage/migrate";
import { openStorage, type Storage, type StorageOptions } from "../../../src/storage/storage";
import { hasSqld, LossyWay, SqldServer } from "../../harness/sqld";
import { itemMigrations, items, recordingLog, storageOptions, until } from "../../harness/storage";

const strict = { authToken: null, durability: { adminUrl: null, allowsRelaxed: false } };
/** Short, so that what is never answered is known soon. */
const hasty = {
  ...strict,
  limits: { answerMilliseconds: 1000, signOfLifeMilliseconds: 500, commitMilliseconds: 1500 },
};

const add = (tx: Pick<Tx, "insert">, id: string, batch = "b", price: bigint | null = null) =>
  tx.insert(items).values({ id, batch, part: 1, price });

async function failureOf(promise: Promise<unknown>): Promise<BsoptError> {
  const error = await promise.then(
    () => null,
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(BsoptError);
  return error as BsoptError;
}

const idsOf = async (storage: Storage) => (await storage.read.select({ id: items.id }).from(items)).map(({ id }) => id);

describe.skipIf(!hasSqld)("a database server", () => {
  let server: SqldServer;
  let storage: Storage;
  const opened: Storage[] = [];

  async function open(changes: Partial<StorageOptions> = {}): Promise<Storage> {
    // Each client names itself by chance: two of one seed would take each other's marks for their own.
    const base = { ...storageOptions(server.url), random: systemRandom, server: strict };
    const made = await openStorage({ ...base, ...changes });
    opened.push(made);
    return made;
  }

  beforeAll(async () => {
    server = await SqldServer.start();
    storage = await open();
  });

  beforeEach(async () => {
    await storage.write((tx) => tx.delete(items));
  });

  afterAll(async () => {
    for (const each of opened) await each.close();
    await server.remove();
  });

  describe("keeps what a file keeps", () => {
    test("whole numbers of 64 bits, fractions, texts, bytes and nulls come back as they went in", async () => {
      const rows = await storage.read.all<Record<string, unknown>>(
        sql`SELECT ${2n ** 63n - 1n} AS whole, ${-(2n ** 63n)} AS least, ${0.1} AS fraction, ${"ü 🌊"} AS text, ${null} AS missing, x'00ff' AS bytes`,
      );
      expect(rows[0]).toEqual({
        whole: 2n ** 63n - 1n,
        least: -(2n ** 63n),
        fraction: 0.1,
        text: "ü 🌊",
        missing: null,
        bytes: new Uint8Array([0, 255]).buffer,
      });
      await storage.write((tx) => add(tx, "money", "b", 9_007_199_254_740_993n));
      expect((await storage.read.select().from(items))[0]?.price).toBe(9_007_199_254_740_993n);
    });

    test("a work that fails undoes its own writes and no other's of its group", async () => {
      const results = await Promise.allSettled([
        storage.write((tx) => add(tx, "first")),
        storage.write(async (tx) => {
          await add(tx, "undone");
          throw new Error("changed its mind");
        }),
        storage.write(async (tx) => {
          await add(tx, "twice");
          await add(tx, "twice");
        }),
        storage.write((tx) => add(tx, "last")),
      ]);
      expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
      expect((await idsOf(storage)).sort()).toEqual(["first", "last"]);
    });

    test("a nested part that fails undoes itself alone, also where it is the first or the last", async () => {
      await storage.write(async (tx) => {
        const failing = (id: string) =>
          tx
            .nested(async (inner) => {
              await add(inner, id);
              throw new Error("no");
            })
            .catch(() => undefined);
        await failing("a");
        await tx.nested((inner) => add(inner, "kept"));
        await failing("z");
      });
      expect(await idsOf(storage)).toEqual(["kept"]);
    });

    test("a refused duplicate is told as one", async () => {
      await storage.write((tx) => add(tx, "one"));
      const error = await storage.write((tx) => add(tx, "one")).catch((failure: unknown) => failure);
      expect(isUniqueViolation(error)).toBe(true);
    });

    test("a work that waits for something else is undone and refused", async () => {
      const refused = storage.write(async (tx) => {
        await add(tx, "waiting");
        await new Promise((resolve) => setTimeout(resolve, 1));
        await add(tx, "later");
      });
      expect(refused).rejects.toThrow("awaited something other than its tx");
      await refused.catch(() => undefined);
      expect(await idsOf(storage)).toEqual([]);
    });

    test("what follows a statement that undid the whole transaction is not written outside it", async () => {
      await storage.write((tx) => add(tx, "there"));
      const results = await Promise.allSettled([
        storage.write((tx) => add(tx, "before")),
        storage.write(async (tx) => {
          await tx
            .run(sql`INSERT OR ROLLBACK INTO items (id, batch, part) VALUES ('there', 'b', 1)`)
            .catch(() => undefined);
          await add(tx, "after");
        }),
      ]);
      expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
      expect(await idsOf(storage)).toEqual(["there"]);
    });

    test("what a read should write is undone and refused", async () => {
      await storage.write((tx) => add(tx, "kept"));
      expect((await failureOf(storage.read.all(sql`DELETE FROM items`))).code).toBe("DATABASE_READ_ONLY");
      expect(await idsOf(storage)).toEqual(["kept"]);
    });

    test("many writes at once share commits, and all are there", async () => {
      const before = storage.statistics();
      await Promise.all(Array.from({ length: 100 }, (_, index) => storage.write((tx) => add(tx, `p${index}`))));
      const { groupCount, writeCount } = storage.statistics();
      expect(writeCount - before.writeCount).toBe(100);
      expect(groupCount - before.groupCount).toBeLessThan(50);
      expect(await idsOf(storage)).toHaveLength(100);
    });

    test("of two writers who count one number up, none loses a step", async () => {
      const other = await open();
      await storage.write((tx) => add(tx, "counter", "b", 0n));
      const step = (through: Storage) =>
        through.write(async (tx) => {
          const [row] = await tx.select({ price: items.price }).from(items).where(eq(items.id, "counter"));
          await tx
            .update(items)
            .set({ price: row!.price! + 1n })
            .where(eq(items.id, "counter"));
        });
      for (let round = 0; round < 10; round++) await Promise.all([step(storage), step(other), step(storage)]);
      expect((await storage.read.select().from(items))[0]?.price).toBe(30n);
    });
  });

  describe("migrations", () => {
    test("rebuilding a parent table keeps its children, and going down undoes everything", async () => {
      const own = await SqldServer.start();
      try {
        const family: Migration[] = [
          {
            tag: "0000_family",
            up: "CREATE TABLE parents (id TEXT PRIMARY KEY NOT NULL);--> statement-breakpoint\nCREATE TABLE children (id TEXT PRIMARY KEY NOT NULL, parent TEXT NOT NULL REFERENCES parents(id) ON DELETE CASCADE);--> statement-breakpoint\nINSERT INTO parents VALUES ('p');--> statement-breakpoint\nINSERT INTO children VALUES ('c', 'p');",
            down: "DROP TABLE children;--> statement-breakpoint\nDROP TABLE parents;",
          },
        ];
        const rebuild: Migration = {
          tag: "0001_rebuild",
          up: "CREATE TABLE new_parents (id TEXT PRIMARY KEY NOT NULL, name TEXT);--> statement-breakpoint\nINSERT INTO new_parents SELECT id, NULL FROM parents;--> statement-breakpoint\nDROP TABLE parents;--> statement-breakpoint\nALTER TABLE new_parents RENAME TO parents;",
          down: "ALTER TABLE parents DROP COLUMN name;",
        };
        const options = { ...storageOptions(own.url), random: systemRandom, server: strict };
        expect((await migrationStatus({ ...options, migrations: family })).version).toBe(0);
        await migrateUp({ ...options, migrations: family });
        expect((await migrateUp({ ...options, migrations: [...family, rebuild] })).version).toBe(2);
        const kept = await openStorage({ ...options, migrations: [...family, rebuild], tables: [] }).catch(
          (error: unknown) => error,
        );
        // Opened with no table declared, each that is there is a difference, and storage's own are not.
        expect((kept as BsoptError).detail).toContain("table children is not expected; table parents is not expected.");
        const counting = await openStorage({
          ...options,
          migrations: [...family, rebuild],
          tables: undefined as never,
        });
        expect(await counting.read.all(sql`SELECT id FROM children`)).toEqual([{ id: "c" }]);
        const orphan = await counting
          .write((tx) => tx.run(sql`INSERT INTO children VALUES ('x', 'nobody')`))
          .catch((error: unknown) => error);
        expect(isForeignKeyViolation(orphan)).toBe(true);
        await counting.close();
        const broken: Migration = { tag: "0002_broken", up: "DELETE FROM parents;", down: "SELECT 1;" };
        const refused = await failureOf(migrateUp({ ...options, migrations: [...family, rebuild, broken] }));
        expect(refused.code).toBe("MIGRATION_BREAKS_FOREIGN_KEYS");
        expect((await migrateDown(0, { ...options, migrations: [...family, rebuild] })).version).toBe(0);
        expect((await migrationStatus({ ...options, migrations: family })).version).toBe(0);
      } finally {
        await own.remove();
      }
    });

    test("of eight starts at once on an empty server, each comes up and each migration is applied once", async () => {
      const own = await SqldServer.start();
      try {
        const start = () => openStorage({ ...storageOptions(own.url), random: systemRandom, server: strict });
        const started = await Promise.all(Array.from({ length: 8 }, start));
        const marks = await started[0]!.read.all(sql`SELECT tag FROM schema_migrations`);
        expect(marks).toEqual([{ tag: itemMigrations[0]!.tag }]);
        await Promise.all(started.map((each) => each.close()));
      } finally {
        await own.remove();
      }
    });
  });

  describe("a COMMIT that is lost", () => {
    let way: LossyWay;
    let lossy: Storage;
    /** Waits until the server has taken the lock away from the transaction that was lost: 5 s. */
    let patient: Storage;

    beforeAll(async () => {
      way = new LossyWay(server, () => server.kill());
      lossy = await open({ url: way.url, server: hasty });
      const limits = { ...hasty.limits, commitMilliseconds: 9000 };
      patient = await open({ url: way.url, server: { ...hasty, limits } });
    });

    afterAll(() => way.stop());

    test("S5.19 on the way back counts as done, and is done once", async () => {
      way.loss = "answer lost";
      await lossy.write((tx) => add(tx, "done"));
      expect(await idsOf(lossy)).toEqual(["done"]);
    });

    test("S5.19 on the way there is refused as not kept, and is not", async () => {
      way.loss = "request lost";
      const error = await failureOf(patient.write((tx) => add(tx, "never")));
      expect(error).toMatchObject({ reason: "unavailable", code: "DATABASE_UNREACHABLE", retryAfterSeconds: 1 });
      expect(await idsOf(patient)).toEqual([]);
      await patient.write((tx) => add(tx, "next"));
      expect(await idsOf(patient)).toEqual(["next"]);
    }, 20_000);

    test("S5.19 and arrives after it was called not kept does nothing any more", async () => {
      way.loss = "request late";
      const error = await failureOf(patient.write((tx) => add(tx, "late")));
      expect(error.code).toBe("DATABASE_UNREACHABLE");
      const said = await way.passOn();
      expect(said).toContain("TRANSACTION_TIMEOUT");
      expect(await idsOf(patient)).toEqual([]);
    }, 30_000);

    test("S5.19 with the server itself is unknown after a stated time; the process goes on and writes again", async () => {
      way.loss = "answer lost and the server gone";
      const error = await failureOf(lossy.write((tx) => add(tx, "unknown")));
      expect(error).toMatchObject({ reason: "unavailable", code: "DATABASE_COMMIT_UNKNOWN", retryAfterSeconds: 5 });
      await server.start();
      await server.strengthen();
      await lossy.write((tx) => add(tx, "after"));
      expect((await idsOf(lossy)).sort()).toEqual(["after", "unknown"]);
    }, 20_000);
  });

  describe("a server that is killed or frozen", () => {
    test("S5.19 killed under load loses nothing that was acknowledged, and is written again once it is back", async () => {
      const acknowledged = new Set<string>();
      let isDone = false;
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let turn = 0; !isDone; turn++) {
          const id = `${writer}-${turn}`;
          await storage
            .write((tx) => add(tx, id))
            .then(
              () => acknowledged.add(id),
              (error: unknown) => expect(error).toMatchObject({ reason: "unavailable" }),
            );
        }
      });
      for (let kill = 0; kill < 3; kill++) {
        const enough = acknowledged.size + 50;
        await until("enough is acknowledged", () => acknowledged.size >= enough);
        await server.kill();
        await server.start();
        await server.strengthen();
      }
      const enough = acknowledged.size + 20;
      await until("enough is acknowledged again", () => acknowledged.size >= enough);
      isDone = true;
      await Promise.all(writers);
      const kept = new Set(await idsOf(storage));
      expect([...acknowledged].filter((id) => !kept.has(id))).toEqual([]);
    }, 60_000);

    test("S5.19 frozen, it is not waited for longer than stated: writes, reads and the ping are refused with a time to come back", async () => {
      const clock = storageOptions("").clock;
      const since = async (promise: Promise<unknown>) => {
        const begunAt = clock.monotonicMilliseconds();
        const error = await failureOf(promise);
        expect(error).toMatchObject({ reason: "unavailable", code: "DATABASE_UNREACHABLE", retryAfterSeconds: 2 });
        return clock.monotonicMilliseconds() - begunAt;
      };
      server.freeze();
      try {
        const waits = await Promise.all([
          since(storage.write((tx) => add(tx, "frozen"))),
          since(idsOf(storage)),
          since(storage.ping()),
        ]);
        // The limits are 5.5 s for the lock, 3 s for an answer and 1.5 s for a sign of life; the rest is this machine's.
        expect(waits.map((wait, index) => wait < [8000, 5000, 4000][index]!)).toEqual([true, true, true]);
      } finally {
        server.thaw();
      }
      let isWritten = false;
      for (let turn = 0; turn < 10 && !isWritten; turn++) {
        isWritten = await storage
          .write((tx) => add(tx, `thawed ${turn}`))
          .then(
            () => true,
            (error: unknown) => {
              expect(error).toMatchObject({ reason: "unavailable" });
              return false;
            },
          );
      }
      expect(isWritten).toBe(true);
      expect(await idsOf(storage)).not.toContain("frozen");
    }, 60_000);

    test("S5.19 where nobody listens, opening says so", async () => {
      const error = await failureOf(open({ url: "http://127.0.0.1:9" }));
      expect(error.code).toBe("DATABASE_UNREACHABLE");
      expect(error.hint).toContain("database_url");
    });
  });

  describe("durability", () => {
    test("a server that does not sync each commit is refused with what to do", async () => {
      const relaxed = await SqldServer.start({ isRelaxed: true });
      try {
        const error = await failureOf(open({ url: relaxed.url }));
        expect(error.code).toBe("DATABASE_DURABILITY_RELAXED");
        expect(error.hint).toContain("durability_mode");
      } finally {
        await relaxed.remove();
      }
    });

    test("it is taken with a warning where that is allowed", async () => {
      const relaxed = await SqldServer.start({ isRelaxed: true });
      try {
        const log = recordingLog();
        const durability = { adminUrl: null, allowsRelaxed: true };
        const taken = await open({ url: relaxed.url, log, server: { authToken: null, durability } });
        await taken.write((tx) => add(tx, "risked"));
        expect(log.lines).toContainEqual(
          expect.objectContaining({ level: "warn", message: expect.stringContaining("may lose acknowledged rows") }),
        );
      } finally {
        await relaxed.remove();
      }
    });

    test("a restarted server, relaxed again, is written only once it syncs again; named its admin interface, it is told to", async () => {
      const forgetful = await SqldServer.start();
      try {
        const told = { authToken: null, durability: { adminUrl: forgetful.adminUrl, allowsRelaxed: false } };
        const alone = await open({ url: forgetful.url });
        const caring = await open({ url: forgetful.url, server: told });
        await forgetful.kill();
        await forgetful.start();
        expect((await failureOf(alone.write((tx) => add(tx, "unsafe")))).code).toBe("DATABASE_DURABILITY_RELAXED");
        expect(await idsOf(alone)).toEqual([]);
        // The first write finds it out and tells the server; the next is kept.
        expect((await failureOf(caring.write((tx) => add(tx, "first")))).code).toBe("DATABASE_DURABILITY_RELAXED");
        await caring.write((tx) => add(tx, "second"));
        await alone.write((tx) => add(tx, "third"));
        expect((await idsOf(alone)).sort()).toEqual(["second", "third"]);
      } finally {
        await forgetful.remove();
      }
    }, 20_000);
  });

  describe("beside other processes", () => {
    test("another's commit is told within seconds, one's own never", async () => {
      const way = new LossyWay(server);
      let lookCount = 0;
      way.onRequest = (body) => {
        if (body.includes("SELECT serial FROM commit_marks WHERE process = '*'")) lookCount += 1;
      };
      const listening = await open({ url: way.url });
      try {
        let toldCount = 0;
        listening.onForeignWrite(() => {
          toldCount += 1;
        });
        for (let turn = 0; turn < 5; turn++) await listening.write((tx) => add(tx, `own ${turn}`));
        const looks = lookCount + 2;
        await until("it has looked twice", () => lookCount >= looks);
        expect(toldCount).toBe(0);
        await storage.write((tx) => add(tx, "foreign"));
        await until("the commit is told", () => toldCount > 0, 5000);
      } finally {
        opened.splice(opened.indexOf(listening), 1);
        await listening.close();
        await way.stop();
      }
    }, 20_000);

    test("a server out of reach is told like another's write: what was known may be wrong", async () => {
      const way = new LossyWay(server);
      try {
        const listening = await open({ url: way.url, server: hasty });
        let toldCount = 0;
        listening.onForeignWrite(() => {
          toldCount += 1;
        });
        way.refusalStatus = 503;
        await until("the loss is told", () => toldCount > 0, 5000);
      } finally {
        way.refusalStatus = null;
        await Promise.all(opened.splice(-1).map((each) => each.close()));
        await way.stop();
      }
    }, 20_000);
  });

  describe("the token", () => {
    test("is sent as a bearer token, and a refusal is told without it", async () => {
      const way = new LossyWay(server);
      try {
        const withToken = { ...strict, authToken: "eyJ-secret" };
        const tokened = await open({ url: way.url, server: withToken });
        expect(way.authorization).toBe("Bearer eyJ-secret");
        way.refusalStatus = 401;
        const error = await failureOf(tokened.write((tx) => add(tx, "no")));
        expect(error).toMatchObject({ reason: "unavailable", code: "DATABASE_REFUSED" });
        expect(Bun.inspect(error)).not.toContain("eyJ-secret");
      } finally {
        way.refusalStatus = null;
        await way.stop();
      }
    });
  });
});
