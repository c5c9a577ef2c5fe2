// The one way to write, from the inside: groups, savepoints, limits, and what happens when the database or a work
// misbehaves.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { LibsqlError } from "@libsql/client/sqlite3";
import { asc, eq, sql } from "drizzle-orm";
import { InvariantError } from "../../../src/foundation/assert";
import { ManualClock, systemClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { seededRandom } from "../../../src/foundation/random";
import { Connection } from "../../../src/storage/connection";
import { isForeignKeyViolation, isUniqueViolation } from "../../../src/storage/database-error";
import { parseDatabaseUrl, prepareFiles } from "../../../src/storage/location";
import type { Storage, Tx } from "../../../src/storage/storage";
import { defaultWriterLimits, Writer } from "../../../src/storage/writer";
import { items, openTestStorage, recordingLog, temporaryFolder } from "../../harness/storage";

const row = (id: string, part = 0) => ({ id, batch: "b", part });
const add = (tx: Tx, id: string) => tx.insert(items).values(row(id));
const ids = async (storage: Storage) =>
  (await storage.read.select({ id: items.id }).from(items).orderBy(asc(items.id))).map(({ id }) => id);
const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => {
      throw new Error("expected a rejection");
    },
    (error: unknown) => error,
  );
const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  const error = await failure(promise);
  if (!(error instanceof BsoptError)) throw error;
  return error.code;
};

describe("storage.write", () => {
  test("resolves with the work's value once its rows can be read", async () => {
    const storage = await openTestStorage();
    const answer = await storage.write(async (tx) => {
      await add(tx, "a");
      return "value";
    });
    expect(answer).toBe("value");
    expect(await ids(storage)).toEqual(["a"]);
  });

  test("S5.01 a work that throws leaves none of its rows, and its error passes on as it is", async () => {
    const storage = await openTestStorage();
    const mine = new Error("mine");
    const error = await failure(
      storage.write(async (tx) => {
        await add(tx, "a");
        await add(tx, "b");
        throw mine;
      }),
    );
    expect(error).toBe(mine);
    expect(await ids(storage)).toEqual([]);
  });

  test("S5.01 the second insert of a work is refused: the first is undone too, and the violation is recognised", async () => {
    const storage = await openTestStorage();
    await storage.write((tx) => add(tx, "taken"));
    const error = await failure(
      storage.write(async (tx) => {
        await add(tx, "fresh");
        await add(tx, "taken");
      }),
    );
    expect(isUniqueViolation(error)).toBe(true);
    expect(isForeignKeyViolation(error)).toBe(false);
    expect(error).toBeInstanceOf(BsoptError);
    expect((error as BsoptError).code).toBe("DATABASE_CONSTRAINT");
    expect(await ids(storage)).toEqual(["taken"]);
  });

  test("an error of a statement repeats neither SQL nor values in its public words", async () => {
    const storage = await openTestStorage();
    await storage.write((tx) => add(tx, "secret-value"));
    const error = (await failure(storage.write((tx) => add(tx, "secret-value")))) as BsoptError;
    expect(`${error.message} ${error.detail} ${error.hint}`).not.toMatch(/secret-value|insert/i);
  });

  test("S3.08 a value that looks like SQL is stored and found as the text it is", async () => {
    const storage = await openTestStorage();
    const hostile = `'); DROP TABLE items; --"\\ \n\t ü€😀`;
    await storage.write(async (tx) => {
      await tx.insert(items).values({ id: hostile, batch: hostile, part: 0 });
      await tx.update(items).set({ part: 1 }).where(eq(items.batch, hostile));
      await tx.run(sql`UPDATE items SET price = 5 WHERE id = ${hostile}`);
    });
    expect(await storage.read.select().from(items).where(eq(items.id, hostile))).toEqual([
      { id: hostile, batch: hostile, part: 1, price: 5n },
    ]);
  });

  for (const [what, value] of [
    ["a NUL", "a\u0000b"],
    ["half a surrogate pair", "a\ud800"],
  ] as const) {
    test(`a text with ${what}, which would come out changed, is refused and not stored`, async () => {
      const storage = await openTestStorage();
      expect(await codeOf(storage.write((tx) => tx.insert(items).values({ id: value, batch: "b", part: 0 })))).toBe(
        "TEXT_NOT_STORABLE",
      );
      expect(await codeOf(Promise.resolve(storage.read.select().from(items).where(eq(items.id, value))))).toBe(
        "TEXT_NOT_STORABLE",
      );
      expect(await ids(storage)).toEqual([]);
    });
  }

  test("S5.01 works of one group: the failing one is undone alone", async () => {
    const storage = await openTestStorage();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        storage.write(async (tx) => {
          await add(tx, `row-${String(index).padStart(2, "0")}`);
          if (index % 5 === 3) throw new Error(`refused ${index}`);
          return index;
        }),
      ),
    );
    expect(storage.statistics().groupCount).toBe(1);
    expect(results.filter(({ status }) => status === "rejected")).toHaveLength(4);
    expect(await ids(storage)).toEqual(
      Array.from({ length: 20 }, (_, index) => index)
        .filter((index) => index % 5 !== 3)
        .map((index) => `row-${String(index).padStart(2, "0")}`),
    );
  });

  test("a work sees what earlier works of its group wrote; a reader does not before the commit", async () => {
    const storage = await openTestStorage();
    const seen: number[] = [];
    const looks = await Promise.all(
      [0, 1, 2].map((index) =>
        storage.write(async (tx) => {
          seen.push((await tx.select().from(items)).length);
          await add(tx, `r${index}`);
        }),
      ),
    );
    expect(looks).toHaveLength(3);
    expect(seen).toEqual([0, 1, 2]);
  });

  test("more works than a group holds are committed in several groups, in order", async () => {
    const storage = await openTestStorage({ limits: { groupWritesMax: 4 } });
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        storage.write(async (tx) => {
          order.push(index);
          await add(tx, `r${index}`);
        }),
      ),
    );
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(storage.statistics()).toMatchObject({ groupCount: 3, writeCount: 10, queuedCount: 0 });
  });

  test("a group that has run for its time commits, and the rest follows in the next", async () => {
    const clock = new ManualClock();
    const storage = await openTestStorage({ clock, limits: { groupMillisecondsMax: 5 } });
    await Promise.all(
      [0, 1, 2].map((index) =>
        storage.write(async (tx) => {
          clock.advance(3);
          await add(tx, `r${index}`);
        }),
      ),
    );
    expect(storage.statistics().groupCount).toBe(2);
  });

  test("S5.02 a group that waited for a long turn of the loop may take half as long itself, up to 25 ms", async () => {
    const clock = new ManualClock();
    const storage = await openTestStorage({ clock, limits: { groupMillisecondsMax: 5 } });
    const groupsOf = async (turnMilliseconds: number) => {
      const before = storage.statistics().groupCount;
      const all = Array.from({ length: 10 }, (_, index) =>
        storage.write(async (tx) => {
          clock.advance(4);
          await add(tx, `${turnMilliseconds}-${index}`);
        }),
      );
      // The turn that the first group waits for.
      clock.advance(turnMilliseconds);
      await Promise.all(all);
      return storage.statistics().groupCount - before;
    };
    // Two works of 4 ms each: five groups. After 32 ms the first has 16 ms, which four works fill: then three more groups.
    expect(await groupsOf(0)).toBe(5);
    expect(await groupsOf(32)).toBe(4);
    // 500 ms would allow 250: it has 25, which seven works fill; then two more groups.
    expect(await groupsOf(500)).toBe(3);
  });

  test("every row of a work can carry the same time, the clock's at its beginning", async () => {
    const clock = new ManualClock(1_234_567n);
    const storage = await openTestStorage({ clock });
    const times = await storage.write(async (tx) => {
      clock.advance(5);
      return [tx.nowMicroseconds, await tx.nested(async (inner) => inner.nowMicroseconds)];
    });
    expect(times).toEqual([1_234_567n, 1_234_567n]);
  });

  test("S5.02 one write more than the queue holds is refused with WRITE_QUEUE_FULL and when to come back", async () => {
    const storage = await openTestStorage({ limits: { writesQueuedMax: 3 } });
    const accepted = [0, 1, 2].map((index) => storage.write((tx) => add(tx, `r${index}`)));
    const error = (await failure(storage.write((tx) => add(tx, "one too many")))) as BsoptError;
    expect(error).toMatchObject({ reason: "unavailable", code: "WRITE_QUEUE_FULL", retryAfterSeconds: 1 });
    await Promise.all(accepted);
    expect(await ids(storage)).toEqual(["r0", "r1", "r2"]);
  });

  test("after close no write is accepted, and those queued before are kept", async () => {
    const storage = await openTestStorage();
    const queued = storage.write((tx) => add(tx, "in time"));
    const closing = storage.close();
    expect(await codeOf(storage.write((tx) => add(tx, "late")))).toBe("STORAGE_CLOSED");
    await queued;
    await closing;
    const again = await openTestStorage({ url: storage.url });
    expect(await ids(again)).toEqual(["in time"]);
  });
});

describe("the writer's connection", () => {
  // The last two are settings no fresh connection has, so they tell a tuned one from one that is right by chance.
  const tuned = sql`SELECT s.synchronous, f.foreign_keys, b.timeout, j.journal_mode, t.temp_store, u.trusted_schema
    FROM pragma_synchronous s, pragma_foreign_keys f, pragma_busy_timeout b, pragma_journal_mode j,
      pragma_temp_store t, pragma_trusted_schema u`;
  const expected = {
    synchronous: 2n,
    foreign_keys: 1n,
    timeout: 0n,
    journal_mode: "wal",
    temp_store: 2n,
    trusted_schema: 0n,
  };

  test("inside a write it is synchronous FULL, checks foreign keys, never waits by itself, and logs ahead", async () => {
    const storage = await openTestStorage();
    for (let round = 0; round < 3; round++) {
      const [settings] = await storage.write((tx) => tx.all<object>(tuned));
      expect(settings).toEqual(expected);
    }
  });

  test("a connection that was swapped behind the writer's back cannot take the lock: it is tuned first", async () => {
    const { writer, connection } = await bareWriter();
    await connection.client.reconnect();
    const [settings] = await writer.write((tx) => tx.all<object>(tuned));
    expect(settings).toEqual(expected);
    expect(connection.generation).toBe(2);
  });

  test("INSERT … RETURNING gives its rows though rowsAffected says 0: rows are what counts", async () => {
    const storage = await openTestStorage();
    const [returned, affected] = await storage.write(async (tx) => [
      await tx.insert(items).values(row("a")).returning({ id: items.id }),
      (await tx.insert(items).values(row("b"))).rowsAffected,
    ]);
    expect(returned).toEqual([{ id: "a" }]);
    expect(affected).toBe(1);
  });
});

describe("S2.19 tx.nested", () => {
  test("an inner part that throws is undone alone; the outer goes on and keeps its rows", async () => {
    const storage = await openTestStorage();
    const caught = await storage.write(async (tx) => {
      await add(tx, "before");
      const error = await failure(
        tx.nested(async (inner) => {
          await add(inner, "inside");
          await inner.nested((innermost) => add(innermost, "deep"));
          throw new Error("inner fault");
        }),
      );
      await add(tx, "after");
      return error;
    });
    expect((caught as Error).message).toBe("inner fault");
    expect(await ids(storage)).toEqual(["after", "before"]);
  });

  test("an inner part that resolves is undone with its outer part", async () => {
    const storage = await openTestStorage();
    await failure(
      storage.write(async (tx) => {
        await tx.nested((inner) => add(inner, "inside"));
        throw new Error("outer fault");
      }),
    );
    expect(await ids(storage)).toEqual([]);
  });

  test("values come out of three levels, and all rows are kept", async () => {
    const storage = await openTestStorage();
    const value = await storage.write((tx) =>
      tx.nested(async (one) => {
        await add(one, "1");
        return one.nested(async (two) => {
          await add(two, "2");
          return "from the depth";
        });
      }),
    );
    expect(value).toBe("from the depth");
    expect(await ids(storage)).toEqual(["1", "2"]);
  });

  const misuses: [string, (tx: Tx) => Promise<unknown>, RegExp][] = [
    [
      "using the outer tx while an inner part is open",
      (tx) => tx.nested(async () => add(tx, "outer")),
      /outer tx was used while a nested one is open/,
    ],
    [
      "two inner parts side by side",
      (tx) => Promise.all([tx.nested((inner) => add(inner, "x")), tx.nested((inner) => add(inner, "y"))]),
      /outer tx was used while a nested one is open/,
    ],
    [
      "resolving before an inner part has",
      async (tx) => {
        void tx.nested(() => new Promise(() => {}));
      },
      /resolved before its nested part/,
    ],
  ];
  for (const [what, work, message] of misuses) {
    test(`${what} is refused and leaves nothing`, async () => {
      const storage = await openTestStorage();
      const error = await failure(storage.write(work));
      expect(error).toBeInstanceOf(InvariantError);
      expect((error as Error).message).toMatch(message);
      expect(await ids(storage)).toEqual([]);
      await storage.write((tx) => add(tx, "life goes on"));
      expect(await ids(storage)).toEqual(["life goes on"]);
    });
  }
});

describe("nothing is awaited inside a write but its tx", () => {
  test("a work that waits for a timer is refused as soon as the loop turns, its group's other works are kept", async () => {
    const storage = await openTestStorage();
    const results = await Promise.allSettled([
      storage.write((tx) => add(tx, "first")),
      storage.write(async (tx) => {
        await add(tx, "offender");
        await new Promise((resolve) => setTimeout(resolve, 1));
        await add(tx, "offender, later");
      }),
      storage.write((tx) => add(tx, "third")),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    const { reason } = results[1] as PromiseRejectedResult;
    expect(reason).toBeInstanceOf(InvariantError);
    expect((reason as Error).message).toMatch(/awaited something other than its tx/);
    expect(await ids(storage)).toEqual(["first", "third"]);
  });

  test("a work that never ends does not hang the writer", async () => {
    const storage = await openTestStorage();
    expect(await failure(storage.write(() => new Promise(() => {})))).toBeInstanceOf(InvariantError);
    await storage.write((tx) => add(tx, "after"));
    expect(await ids(storage)).toEqual(["after"]);
  });

  test("a nested part cut off by the turn cannot reach into the works that follow", async () => {
    const storage = await openTestStorage();
    const gate = Promise.withResolvers<void>();
    const late = Promise.withResolvers<unknown>();
    const cutOff = storage.write((tx) =>
      tx
        .nested(async (inner) => {
          await add(inner, "cut");
          await gate.promise;
          await add(inner, "cut, later");
        })
        .catch((error: unknown) => {
          late.resolve(error);
          throw error;
        }),
    );
    expect(await failure(cutOff)).toBeInstanceOf(InvariantError);
    const following = storage.write((tx) =>
      tx.nested(async (inner) => {
        await add(inner, "kept");
        gate.resolve();
        await late.promise;
        await add(inner, "kept too");
      }),
    );
    await following;
    expect((await late.promise) as Error).toBeInstanceOf(InvariantError);
    expect(await ids(storage)).toEqual(["kept", "kept too"]);
  });

  test("a nested part that outlives its failed write cannot undo what the next work of the group has open", async () => {
    const storage = await openTestStorage();
    const turns = async (count: number) => {
      for (let index = 0; index < count; index++) await null;
    };
    const results = await Promise.allSettled([
      storage.write(async (tx) => {
        void tx.nested(() => turns(60).then(() => Promise.reject(new Error("late")))).catch(() => {});
        await turns(5);
        throw new Error("early");
      }),
      storage.write((tx) =>
        tx.nested(async (inner) => {
          await add(inner, "kept");
          await turns(300);
          await add(inner, "kept too");
        }),
      ),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(storage.statistics().groupCount).toBe(1);
    expect(await ids(storage)).toEqual(["kept", "kept too"]);
  });

  test("a tx used after its write has ended is refused", async () => {
    const storage = await openTestStorage();
    let kept: Tx | undefined;
    await storage.write(async (tx) => {
      kept = tx;
    });
    const error = await failure(Promise.resolve(add(kept!, "stray")));
    expect((error as Error).message).toMatch(/after its write had ended/);
    expect(await ids(storage)).toEqual([]);
  });

  test("storage.write inside a write is refused at once rather than waiting for itself for ever", async () => {
    const storage = await openTestStorage();
    const error = await failure(storage.write(() => storage.write((tx) => add(tx, "x"))));
    expect((error as Error).message).toMatch(/storage\.write inside a write/);
  });

  test("storage.read inside a write is refused: it would not see what the work has written", async () => {
    const storage = await openTestStorage();
    const error = await failure(storage.write(() => ids(storage)));
    expect((error as Error).message).toMatch(/storage\.read inside a write/);
  });

  for (const statement of [
    "COMMIT",
    "  rollback",
    "BEGIN",
    "savepoint x",
    "RELEASE x",
    "ATTACH 'x' AS y",
    "vacuum",
    "END",
  ]) {
    test(`a work may not run ${statement.trim()}`, async () => {
      const storage = await openTestStorage();
      const error = await failure(storage.write(async (tx) => tx.run(sql.raw(statement))));
      expect((error as Error).message).toMatch(/may not control its transaction/);
    });
  }
});

describe("a full disk", () => {
  const shrink = (tx: Tx) => tx.run(sql`PRAGMA max_page_count = 6`);
  const big = (tx: Tx, id: string) => tx.insert(items).values({ ...row(id), batch: "x".repeat(40_000) });

  test("S5.19 a write that does not fit is refused cleanly, its group's other works are not half kept, and later writes go on", async () => {
    const storage = await openTestStorage();
    await storage.write((tx) => add(tx, "before"));
    await storage.write(shrink);
    const results = await Promise.allSettled([
      storage.write((tx) => add(tx, "small")),
      storage.write((tx) => big(tx, "large")),
    ]);
    expect(results[1]?.status).toBe("rejected");
    const { reason } = results[1] as PromiseRejectedResult;
    expect(reason).toMatchObject({ reason: "unavailable", code: "DATABASE_FULL", retryAfterSeconds: 30 });
    const kept = await ids(storage);
    expect(kept.includes("small")).toBe(results[0]?.status === "fulfilled");
    expect(kept.includes("large")).toBe(false);
    await storage.write((tx) => tx.run(sql`PRAGMA max_page_count = 1000000`));
    await storage.write((tx) => big(tx, "fits now"));
    expect(await ids(storage)).toContain("fits now");
    expect(await storage.read.get<{ ok: string }>(sql`PRAGMA quick_check`)).toEqual({ quick_check: "ok" } as never);
  });
});

/** A writer on its own connection whose driver a test can break. */
async function bareWriter(limits: Partial<typeof defaultWriterLimits> = {}) {
  const location = parseDatabaseUrl(`file:${join(temporaryFolder(), "bare.db")}`);
  const log = recordingLog();
  prepareFiles(location, log);
  const connection = new Connection(location.clientUrl, "writer");
  await connection.tune();
  await connection.client.executeMultiple(
    "CREATE TABLE schema_migrations (tag TEXT); CREATE TABLE items (id TEXT PRIMARY KEY, batch TEXT, part INTEGER, price INTEGER)",
  );
  const fatal: unknown[] = [];
  const writer = new Writer({
    connection,
    clock: systemClock,
    random: seededRandom(3n),
    log,
    limits: { ...defaultWriterLimits, groupMillisecondsMax: Number.POSITIVE_INFINITY, ...limits },
    onFatal: (error) => fatal.push(error),
  });
  const stored = async () => {
    const answer = await connection.client.execute("SELECT id FROM items ORDER BY id");
    return answer.rows.map((found) => found.id);
  };
  return { writer, connection, fatal, log, stored };
}

/** Makes the next transaction's COMMIT throw, before or after it has really happened. */
function breakNextCommit(connection: Connection, error: Error, when: "before" | "after"): void {
  const original = connection.client.transaction.bind(connection.client);
  connection.client.transaction = async (...args: Parameters<typeof original>) => {
    const transaction = await original(...args);
    connection.client.transaction = original;
    const commit = transaction.commit.bind(transaction);
    transaction.commit = async () => {
      if (when === "after") await commit();
      else transaction.close();
      throw error;
    };
    return transaction;
  };
}

describe("a COMMIT that fails", () => {
  const certain: [string, string][] = [
    ["SQLITE_BUSY", "DATABASE_BUSY"],
    ["SQLITE_FULL", "DATABASE_FULL"],
    ["SQLITE_CONSTRAINT", "DATABASE_CONSTRAINT"],
    ["SQLITE_READONLY", "DATABASE_READ_ONLY"],
  ];
  for (const [code, ours] of certain) {
    test(`with ${code}: every work of the group fails with ${ours}, none is kept, the next write works`, async () => {
      const { writer, connection, fatal, stored } = await bareWriter();
      breakNextCommit(connection, new LibsqlError("injected", code), "before");
      const results = await Promise.allSettled([
        writer.write((tx) => add(tx, "a")),
        writer.write((tx) => add(tx, "b")),
      ]);
      for (const result of results) expect((result as PromiseRejectedResult).reason).toMatchObject({ code: ours });
      expect(await stored()).toEqual([]);
      await writer.write((tx) => add(tx, "c"));
      expect(await stored()).toEqual(["c"]);
      expect(fatal).toEqual([]);
    });
  }

  for (const when of ["before", "after"] as const) {
    test(`with SQLITE_IOERR (${when} it took effect): the outcome is unknown, the writer says so and stops for good`, async () => {
      const { writer, connection, fatal, log } = await bareWriter();
      breakNextCommit(connection, new LibsqlError("injected", "SQLITE_IOERR"), when);
      const first = writer.write((tx) => add(tx, "a"));
      expect(await codeOf(first)).toBe("DATABASE_COMMIT_UNKNOWN");
      expect(fatal).toHaveLength(1);
      expect(fatal[0]).toMatchObject({ code: "DATABASE_COMMIT_UNKNOWN" });
      expect(await codeOf(writer.write((tx) => add(tx, "b")))).toBe("DATABASE_FAILED");
      expect(await codeOf(writer.between((client) => client.execute("SELECT 1")))).toBe("DATABASE_FAILED");
      expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
    });
  }

  test("S5.02 one look between two groups more than may wait is refused, those before are answered", async () => {
    const { writer } = await bareWriter();
    const look = () => writer.between((client) => client.execute("SELECT 1"));
    const looks = Array.from({ length: 64 }, look);
    expect(await codeOf(look())).toBe("WRITE_QUEUE_FULL");
    expect(await Promise.all(looks)).toHaveLength(64);
    await look();
  });

  test("a fault that stops the writer refuses the looks that wait, too", async () => {
    const { writer } = await bareWriter();
    const waiting = codeOf(writer.between((client) => client.execute("SELECT 1")));
    writer.fail(new Error("stopped"));
    expect(await waiting).toBe("DATABASE_FAILED");
  });

  test("a fault that stops the writer refuses what is still queued", async () => {
    const { writer, connection, fatal } = await bareWriter({ groupWritesMax: 1 });
    breakNextCommit(connection, new LibsqlError("injected", "SQLITE_IOERR"), "before");
    const results = await Promise.all([
      codeOf(writer.write((tx) => add(tx, "a"))),
      codeOf(writer.write((tx) => add(tx, "b"))),
    ]);
    expect(results).toEqual(["DATABASE_COMMIT_UNKNOWN", "DATABASE_FAILED"]);
    expect(fatal).toHaveLength(1);
  });
});

describe("a statement that finds the file damaged", () => {
  test("stops the writer, keeps nothing of the group, and no work can hide it", async () => {
    const { writer, connection, fatal, stored } = await bareWriter();
    const original = connection.client.transaction.bind(connection.client);
    connection.client.transaction = async (...args: Parameters<typeof original>) => {
      const transaction = await original(...args);
      transaction.execute = async () => {
        throw new LibsqlError("injected", "SQLITE_CORRUPT");
      };
      return transaction;
    };
    const results = await Promise.all([
      codeOf(writer.write(async (tx) => void (await failure(Promise.resolve(add(tx, "hidden")))))),
      codeOf(writer.write((tx) => add(tx, "behind it"))),
    ]);
    expect(results).toEqual(["DATABASE_FAILED", "DATABASE_FAILED"]);
    expect(fatal).toHaveLength(1);
    expect(fatal[0]).toMatchObject({ code: "DATABASE_CORRUPT" });
    expect(await stored()).toEqual([]);
  });
});

describe("a transaction that cannot be begun", () => {
  test("for a reason other than a lock: those waiting are told, and the next write tries again", async () => {
    const { writer, connection, stored } = await bareWriter();
    const original = connection.client.transaction.bind(connection.client);
    connection.client.transaction = async () => {
      connection.client.transaction = original;
      throw new LibsqlError("injected", "SQLITE_CANTOPEN");
    };
    expect(await codeOf(writer.write((tx) => add(tx, "a")))).toBe("DATABASE_UNREACHABLE");
    await writer.write((tx) => add(tx, "b"));
    expect(await stored()).toEqual(["b"]);
  });

  test("because the connection cannot be tuned: the writer stops after three tries instead of writing untuned", async () => {
    const { writer, connection, fatal } = await bareWriter();
    const original = connection.client.executeMultiple.bind(connection.client);
    connection.client.executeMultiple = (text) => original(text.replace(/CREATE TEMP TABLE[^;]*/, "SELECT 1"));
    await connection.client.reconnect();
    expect(await codeOf(writer.write((tx) => add(tx, "a")))).toBe("DATABASE_FAILED");
    expect(String(fatal[0])).toMatch(/cannot be tuned/);
  });

  test("a fault in between that nobody foresaw stops the writer rather than leaving it silent", async () => {
    const { writer, connection, fatal } = await bareWriter();
    connection.distrust = () => {
      throw new Error("unforeseen");
    };
    connection.client.transaction = async () => {
      throw new LibsqlError("injected", "SQLITE_CANTOPEN");
    };
    expect(await codeOf(writer.write((tx) => add(tx, "a")))).toBe("DATABASE_FAILED");
    expect(String(fatal[0])).toMatch(/unforeseen/);
  });
});

describe("an undo that fails", () => {
  test("takes the whole group with it: nothing is kept of a part that was reported as failed", async () => {
    const { writer, connection, stored } = await bareWriter();
    const original = connection.client.transaction.bind(connection.client);
    connection.client.transaction = async (...args: Parameters<typeof original>) => {
      const transaction = await original(...args);
      connection.client.transaction = original;
      const run = transaction.executeMultiple.bind(transaction);
      transaction.executeMultiple = async (text) => {
        if (text.startsWith("ROLLBACK TO")) throw new LibsqlError("injected", "SQLITE_FULL");
        return run(text);
      };
      return transaction;
    };
    const results = await Promise.all([
      codeOf(
        writer.write(async (tx) => {
          await failure(
            tx.nested(async (inner) => {
              await add(inner, "to be undone");
              throw new Error("inner");
            }),
          );
        }),
      ),
    ]);
    expect(results).toEqual(["DATABASE_FULL"]);
    expect(await stored()).toEqual([]);
    await writer.write((tx) => add(tx, "next"));
    expect(await stored()).toEqual(["next"]);
  });
});

describe("drizzle's own ways around the one way to write", () => {
  test("its transaction, batch and migrate are not there to be called by mistake", async () => {
    const storage = await openTestStorage();
    const read = storage.read as unknown as { transaction: (work: () => void) => Promise<void>; insert: typeof add };
    expect(await failure((async () => read.transaction(() => {}))())).toBeInstanceOf(InvariantError);
    const error = await failure(storage.write(async (tx) => (tx as unknown as typeof read).transaction(() => {})));
    expect((error as Error).message).toMatch(/use storage\.write or tx\.nested/);
  });

  test("the reader's connection refuses to write, whatever is sent through it", async () => {
    const storage = await openTestStorage();
    expect(await codeOf(Promise.resolve(storage.read.all(sql`INSERT INTO items VALUES ('x', 'b', 0, NULL)`)))).toBe(
      "DATABASE_READ_ONLY",
    );
    expect(await ids(storage)).toEqual([]);
  });

  test("a prepared select can be kept and run again, and sees each time what is committed", async () => {
    const storage = await openTestStorage();
    const byId = storage.read
      .select()
      .from(items)
      .where(eq(items.id, sql.placeholder("id")))
      .prepare();
    expect(await byId.all({ id: "a" })).toEqual([]);
    await storage.write((tx) => tx.insert(items).values({ ...row("a", 7), price: 2n ** 55n }));
    expect(await byId.all({ id: "a" })).toEqual([{ id: "a", batch: "b", part: 7, price: 2n ** 55n }]);
  });
});
