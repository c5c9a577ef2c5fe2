// Whatever is recorded, refused, erased and cut off, in whatever order, the chain holds; and whatever one byte of it is changed by
// hand afterwards, it no longer does.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Clock } from "../../src/foundation/clock";
import { type AuditFixture, eventOf, openAudit } from "../harness/audit";

const seed = 20_261_121;
const day = 86_400_000;

const word = fc.string({ unit: "binary", maxLength: 40 });
const user = fc.constantFrom("user-1", "user-2", "user-3", null);
const act = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("record" as const), user, word, other: word }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("note" as const), user, word }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("erase" as const), user: fc.constantFrom("user-1", "user-2") }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), days: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut" as const), days: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("fail" as const) }) },
);
type Act = typeof act extends fc.Arbitrary<infer Kind> ? Kind : never;

async function perform(fixture: AuditFixture, each: Act): Promise<void> {
  const { audit, storage, clock } = fixture;
  switch (each.kind) {
    case "record":
      return fixture.record({
        userId: each.user,
        resource: each.word,
        details: { word: each.other },
        origin: { ipAddress: "192.0.2.1", userAgent: each.word },
        personal: { word: each.other },
      });
    case "note":
      audit.note(eventOf({ eventType: "authz.access.denied", userId: each.user, details: { code: each.word } }));
      return;
    case "erase":
      await storage.write((tx) => audit.erasePersonal(tx, each.user));
      return;
    case "wait":
      clock.advance(each.days * day);
      return;
    case "cut":
      return cut(fixture, each.days);
    case "fail":
      await storage
        .write(async (tx) => {
          await audit.append(tx, eventOf());
          throw new Error("undone");
        })
        .catch(() => undefined);
  }
}

/** One round of a retention of so many days. */
async function cut({ another, clock: wall }: AuditFixture, retentionDays: number): Promise<void> {
  const round = Promise.withResolvers<void>();
  const clock: Clock = {
    nowMicroseconds: () => wall.nowMicroseconds(),
    monotonicMilliseconds: () => wall.monotonicMilliseconds(),
    sleep(milliseconds, signal) {
      round.resolve();
      return wall.sleep(milliseconds, signal);
    },
  };
  const agent = another({ retentionDays, clock }).agents.find(({ name }) => name === "audit-retention")!;
  agent.start();
  await round.promise;
  await agent.stop();
}

describe(`S3.18 the audit log (seed ${seed})`, () => {
  test("holds after any acts, refusals, erasures and cuts, and not after one more change by hand", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 25 }), fc.nat(), async (acts, pick) => {
        const fixture = await openAudit();
        try {
          for (const each of acts) await perform(fixture, each);
          await fixture.audit.close();
          const report = await fixture.audit.verify([]);
          expect(report.faults).toEqual([]);
          if (report.rowCount === 0) return;
          const column = ["action", "resource", "user_id", "details", "hash", "prev_hash", "personal_hash"][pick % 7]!;
          const id = Number(report.lastId) - (pick % report.rowCount);
          await fixture.tamper(`UPDATE audit_events SET ${column} = coalesce(${column}, '') || 'x' WHERE id = ${id}`);
          expect(await fixture.audit.verify([])).toMatchObject({ isIntact: false });
        } finally {
          await fixture.close();
        }
      }),
      { seed, numRuns: 40 },
    );
  }, 60_000);
});
