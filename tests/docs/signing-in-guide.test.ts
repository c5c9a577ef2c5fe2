// Runs the requests of the guide about signing in, in their order and as one person, with what was answered before, or what an authenticator
// app shows, in place of "…" and of the printed code; and holds the answers below them against the real ones.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { bytesOfBase32, totpCode, totpStepOf } from "../../src/features/login/rules";
import { type LoginFixture, openLogin } from "../harness/login";
import { releaseMachineClock } from "../harness/tokens";

releaseMachineClock();

const text = readFileSync(join(root, "docs/guides/signing-in.md"), "utf8");
const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, body]) => ({
  language,
  body: body!,
}));
const requests = blocks.flatMap(({ language, body }, index) => (language === "http" ? [{ body, index }] : []));

let fixture: LoginFixture;
/** What was answered last under each name. */
const answered = new Map<string, string>();
beforeAll(async () => {
  fixture = await openLogin();
  await fixture.person();
  await fixture.person({ email: "boss@example.org", role: "admin" });
  const made = await fixture.keys.createKey({
    maker: { kind: "operator" },
    request: { name: "bot", scopes: ["pricing:read"] },
  });
  answered.set("client_id", made.id).set("client_secret", made.secret!);
});
afterAll(() => fixture.close());

function noted(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    if (typeof each === "string") answered.set(name, each);
  }
}

/** Every printed field is in the answer: as printed, or whatever it is where "…" is printed. */
function fits(printed: unknown, real: unknown): boolean {
  if (printed === "…") return real !== undefined && real !== null;
  if (typeof printed !== "object" || printed === null) return printed === real;
  if (typeof real !== "object" || real === null) return false;
  if (Array.isArray(printed) && printed.length !== (real as unknown[]).length) return false;
  return Object.entries(printed).every(([key, value]) => fits(value, (real as Record<string, unknown>)[key]));
}

describe("S1.09 the guide signing-in.md", () => {
  test("has requests for each of its parts", () => {
    expect(requests.length).toBe(11);
  });

  test.each(requests.map(({ body, index }) => [body.split("\n")[0]!, body, index] as const))(
    "%s is answered as printed",
    async (line, request, index) => {
      const [method, path] = line.split(" ");
      // Each code works once, and the next comes half a minute later.
      fixture.advance(30_000);
      const sent = request.includes("{") ? JSON.parse(request.slice(request.indexOf("{"))) : undefined;
      for (const [name, value] of Object.entries<unknown>(sent ?? {})) {
        if (value === "…") sent[name] = answered.get(name);
        if (name === "code") {
          sent[name] = totpCode(bytesOfBase32(answered.get("secret")!), totpStepOf(fixture.clock.nowMicroseconds()));
        }
      }
      const answer = await fixture.call(method!, path!, {
        ...(sent !== undefined && { body: sent }),
        ...(request.includes("Authorization") && {
          headers: { authorization: `Bearer ${answered.get("access_token")}` },
        }),
      });
      noted(answer.json);
      const next = blocks[index + 1];
      if (next?.language !== "json") expect([line, answer.status]).toEqual([line, 204]);
      else {
        const printed = JSON.parse(next.body);
        expect([line, answer.status, fits(printed, answer.json) ? "as printed" : answer.json]).toEqual([
          line,
          200,
          "as printed",
        ]);
      }
    },
  );

  test("speaks of no route that is not there", () => {
    const routes = new Set(
      fixture.server.server.routes.routes.map(
        ({ method, pattern }) => `${method} ${pattern.replace(/:(\w+)/g, "{$1}")}`,
      ),
    );
    const named = [...text.matchAll(/`((?:GET|POST|DELETE) \/api\/v1\/[a-z0-9/{}-]+)`/g)].map(([, route]) => route!);
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((route) => !routes.has(route))).toEqual([]);
  });
});
