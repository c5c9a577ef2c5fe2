// Runs every request of the guide about subscriptions, in its order, and holds the answers printed below them against the real ones. Where the guide
// prints "…" the value is another one each time.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { subscriptionsRoutes } from "../../src/features/subscriptions";
import { idempotencyOf, originOf, principalOf } from "../../src/http/request-context";
import { type TestServer, testServer } from "../harness/http";
import { withPersons } from "../harness/identity";
import { openSubscriptions, type SubscriptionsFixture } from "../harness/subscriptions";

let fixture: SubscriptionsFixture;
let server: TestServer;
let user: string;
beforeAll(async () => {
  fixture = await openSubscriptions();
  server = testServer({
    features: [subscriptionsRoutes({ subscriptions: fixture.subscriptions, principalOf, originOf, idempotencyOf })],
    authenticator: withPersons(fixture.people),
  });
  user = await fixture.userNamed("ada");
});
afterAll(async () => {
  await server.close();
  await fixture.close();
});

const text = readFileSync(join(root, "docs/guides/subscriptions.md"), "utf8");
const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, body]) => ({
  language,
  body: body!,
}));

/** The real value with what the guide leaves open left open. */
function asPrinted(printed: unknown, real: unknown): unknown {
  if (printed === "…") return typeof real === "string" ? "…" : real;
  if (Array.isArray(printed) && Array.isArray(real)) return real.map((each, index) => asPrinted(printed[index], each));
  if (typeof printed !== "object" || printed === null || typeof real !== "object" || real === null) return real;
  const known = printed as Record<string, unknown>;
  return Object.fromEntries(Object.entries(real).map(([key, value]) => [key, asPrinted(known[key], value)]));
}

describe("S4.27 the guide subscriptions.md", () => {
  test("has requests, each with its answer", () => {
    expect(blocks.map(({ language }) => language)).toEqual(["http", "json", "http", "json", "http", "json"]);
  });

  for (const [index, { language, body }] of blocks.entries()) {
    if (language !== "http") continue;
    const [line, ...rest] = body.trim().split("\n");
    test(`${line} (block ${index}) is answered as printed`, async () => {
      fixture.people.clock.advance(1);
      const [method, path] = line!.split(" ");
      const sent = rest.join("\n");
      const headers = { authorization: `Bearer person.${user}` };
      const answer = await server.call(method!, path!, { headers, ...(sent !== "" && { body: sent }) });
      expect([Math.floor(answer.status / 100), answer.text]).toEqual([2, answer.text]);
      const printed = JSON.parse(blocks[index + 1]!.body);
      expect(asPrinted(printed, answer.json)).toEqual(printed);
    });
  }
});
