// The Idempotency-Key header over the whole server: what runs once, what is replayed, what is refused. The store
// here keeps answers as storage does, under who, where and key, refusing a second one.

import { describe, expect, test } from "bun:test";
import { BsoptError } from "../../src/foundation/errors";
import { canonicalJson, hashOfRequest, RunningTickets } from "../../src/http/idempotency";
import type { IdempotencyTicket, StoredAnswer } from "../../src/storage/idempotency";
import { testServer } from "../harness/http";
import { probeRoutes } from "./probe-routes";

class MemoryStore {
  readonly answers = new Map<string, { bodyHash: string; answer: StoredAnswer }>();

  static nameOf({ principalId, route, key }: Omit<IdempotencyTicket, "bodyHash">): string {
    return JSON.stringify([principalId, route, key]);
  }

  async find(scope: Omit<IdempotencyTicket, "bodyHash">) {
    return this.answers.get(MemoryStore.nameOf(scope)) ?? null;
  }

  finish(ticket: IdempotencyTicket, answer: StoredAnswer): void {
    if (this.answers.has(MemoryStore.nameOf(ticket))) throw raced();
    this.answers.set(MemoryStore.nameOf(ticket), { bodyHash: ticket.bodyHash, answer });
  }
}

function raced(): BsoptError {
  return new BsoptError({ reason: "conflict", code: "IDEMPOTENCY_RACED", detail: "Another request was first" });
}

function setUp(onMake?: (ticket: IdempotencyTicket | null) => Promise<void> | void) {
  const store = new MemoryStore();
  const made: string[] = [];
  const server = testServer({
    idempotencyStore: store,
    features: [
      probeRoutes({
        onMake: async (name, ticket) => {
          await onMake?.(ticket);
          if (ticket) store.finish(ticket, { status: 201, body: JSON.stringify({ id: "withheld", name }) });
          made.push(name);
        },
      }),
    ],
  });
  const make = (body: unknown, key: string | null, as: { role?: string; path?: string } = {}) =>
    server.call("POST", as.path ?? "/api/v1/things", {
      key: as.role ?? "trader",
      body,
      headers: key === null ? {} : { "idempotency-key": key },
    });
  return { store, made, server, make };
}

describe("Idempotency-Key", () => {
  test("the same key and body answer what was stored, secrets withheld, and make nothing again", async () => {
    const { made, make } = setUp();
    const first = await make({ name: "one", size: 1 }, "k");
    const again = await make('{ "size": 1.0, "name": "one" }', "k");
    expect(made).toEqual(["one"]);
    expect([first.status, first.headers.get("idempotency-replayed"), first.json.id]).toEqual([
      201,
      null,
      "user-of-trader",
    ]);
    expect([again.status, again.headers.get("idempotency-replayed"), again.json]).toEqual([
      201,
      "true",
      { id: "withheld", name: "one" },
    ]);
  });

  test("another body under the same key is refused", async () => {
    const { made, make } = setUp();
    await make({ name: "one" }, "k");
    const other = await make({ name: "two" }, "k");
    expect([other.status, other.json.code]).toEqual([422, "IDEMPOTENCY_KEY_REUSED"]);
    expect(made).toEqual(["one"]);
  });

  test("another query under the same key is refused", async () => {
    const { make } = setUp();
    await make({ name: "one" }, "k");
    expect((await make({ name: "one" }, "k", { path: "/api/v1/things?x=1" })).status).toBe(422);
  });

  test("another principal's key is another key", async () => {
    const { made, make } = setUp();
    await make({ name: "one" }, "k");
    expect((await make({ name: "two" }, "k", { role: "admin" })).status).toBe(201);
    expect(made).toEqual(["one", "two"]);
  });

  test("without the header every request runs", async () => {
    const { made, make } = setUp();
    await make({ name: "one" }, null);
    await make({ name: "one" }, null);
    expect(made).toEqual(["one", "one"]);
  });

  test("a refused request is not remembered", async () => {
    const { made, make } = setUp();
    expect((await make({ nam: "one" }, "k")).status).toBe(422);
    expect((await make({ name: "one" }, "k", { role: "viewer" })).status).toBe(403);
    expect((await make({ name: "one" }, "k")).status).toBe(201);
    expect(made).toEqual(["one"]);
  });

  test("a failed act is not remembered and may be tried again", async () => {
    let fails = true;
    const { made, make } = setUp(() => {
      if (fails) throw new BsoptError({ reason: "unavailable", code: "BUSY", detail: "Busy" });
    });
    expect((await make({ name: "one" }, "k")).status).toBe(503);
    fails = false;
    expect((await make({ name: "one" }, "k")).status).toBe(201);
    expect(made).toEqual(["one"]);
  });

  test("while the first request runs, the same answers 409 and another body 422; afterwards it is replayed", async () => {
    const started = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const { made, make } = setUp(async () => {
      started.resolve();
      await goOn.promise;
    });
    const first = make({ name: "one" }, "k");
    await started.promise;
    const second = await make({ name: "one" }, "k");
    expect([second.status, second.json.code, second.json.retryable]).toEqual([409, "IDEMPOTENCY_IN_PROGRESS", true]);
    expect(second.headers.get("retry-after")).toBe("1");
    expect((await make({ name: "two" }, "k")).json.code).toBe("IDEMPOTENCY_KEY_REUSED");
    goOn.resolve();
    expect((await first).status).toBe(201);
    expect((await make({ name: "one" }, "k")).headers.get("idempotency-replayed")).toBe("true");
    expect(made).toEqual(["one"]);
  });

  test("the loser of a race between processes answers what the winner stored", async () => {
    // The other process stores its answer after our look-up and before our act is finished.
    const { store, made, make } = setUp((ticket) => {
      if (ticket) store.finish(ticket, { status: 201, body: '{"id":"theirs","name":"one"}' });
    });
    const answer = await make({ name: "one" }, "k");
    expect([answer.status, answer.json.id, answer.headers.get("idempotency-replayed")]).toEqual([
      201,
      "theirs",
      "true",
    ]);
    expect(made).toEqual([]);
  });

  test("the loser of a race with another body is refused", async () => {
    const { store, make } = setUp((ticket) => {
      if (ticket) store.finish({ ...ticket, bodyHash: "other" }, { status: 201, body: "{}" });
    });
    expect((await make({ name: "one" }, "k")).json.code).toBe("IDEMPOTENCY_KEY_REUSED");
  });

  test("a race whose winner is not to be found yet answers 409", async () => {
    const { make } = setUp(() => {
      throw raced();
    });
    expect((await make({ name: "one" }, "k")).status).toBe(409);
  });

  const keys: readonly (readonly [string, string, number])[] = [
    ["one character", "k", 201],
    ["255 characters", "k".repeat(255), 201],
    ["256 characters", "k".repeat(256), 400],
    ["empty", "", 400],
    ["a space inside", "a b", 400],
    ["two headers, which arrive joined", "a, b", 400],
    ["a letter beyond ASCII", "ä", 400],
  ];
  for (const [name, key, status] of keys) {
    test(`a key of ${name} answers ${status}`, async () => {
      const { make } = setUp();
      expect((await make({ name: "one" }, key)).status).toBe(status);
    });
  }

  test("a stored answer without a body is replayed without one", async () => {
    const { store, make } = setUp();
    const ticket = {
      principalId: "user-of-trader",
      route: "POST /api/v1/things",
      key: "k",
      bodyHash: hashOfRequest("", { name: "one" }),
    };
    store.finish(ticket, { status: 204, body: "" });
    const answer = await make({ name: "one" }, "k");
    expect([answer.status, answer.text]).toEqual([204, ""]);
  });
});

describe("the hash of a request", () => {
  const same: readonly (readonly [string, unknown, unknown])[] = [
    ["the order of members", { a: 1, b: [{ c: 1, d: 2 }] }, { b: [{ d: 2, c: 1 }], a: 1 }],
    ["how a number is written", JSON.parse("1e2"), JSON.parse("100.0")],
  ];
  for (const [name, one, other] of same) {
    test(`does not depend on ${name}`, () => {
      expect(hashOfRequest("", one)).toBe(hashOfRequest("", other));
    });
  }
  const different: readonly (readonly [string, unknown, unknown])[] = [
    ["the order of items", [1, 2], [2, 1]],
    ["a text from its number", "1", 1],
    ["null from nothing", { a: null }, {}],
    ["null from overflow", { a: null }, { a: Number.POSITIVE_INFINITY }],
    ["overflow by its sign", Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ["a key from structure", { 'a":1,"b': 2 }, { a: 1, b: 2 }],
  ];
  for (const [name, one, other] of different) {
    test(`tells ${name}`, () => {
      expect(hashOfRequest("", one)).not.toBe(hashOfRequest("", other));
    });
  }

  test("is written over members sorted by code unit", () => {
    expect(canonicalJson({ b: 1, a: [true, null, "x"], B: {} })).toBe('{"B":{},"a":[true,null,"x"],"b":1}');
  });
});

test("tickets that run are held once and released", () => {
  const running = new RunningTickets();
  const ticket = { principalId: "p", route: "POST /x", key: "k", bodyHash: "h" };
  running.hold(ticket);
  expect(() => running.hold(ticket)).toThrow("still running");
  running.release(ticket);
  expect(running.count).toBe(0);
  running.hold(ticket);
  expect(running.count).toBe(1);
});
