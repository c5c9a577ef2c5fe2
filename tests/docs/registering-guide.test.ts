// Runs the requests of the guide about registering in their order, with the tokens that were mailed in place of the printed one, and holds
// the answers below them against the real ones. Where the guide prints "…" the value is another one each time.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { registrationRoutes } from "../../src/features/registration";
import { idempotencyOf, originOf, principalOf } from "../../src/http/request-context";
import { type TestServer, testServer } from "../harness/http";
import { openRegistration, type RegistrationFixture } from "../harness/registration";

const text = readFileSync(join(root, "docs/guides/registering.md"), "utf8");
const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, body]) => ({
  language,
  body: body!,
}));
const printedToken = "1Zs2b7m9cQe0dRkT4uVw6xYzA8BfCgDhEiFjGkHlImJ";

let fixture: RegistrationFixture;
let server: TestServer;
let admin: string;
beforeAll(async () => {
  fixture = await openRegistration();
  server = testServer({
    features: [registrationRoutes({ registration: fixture.registration, principalOf, originOf, idempotencyOf })],
    authenticator: fixture.keys,
  });
  admin = (await fixture.keys.ensureFirstAdminKey(fixture.keyFile))!;
});
afterAll(async () => {
  await server.close();
  await fixture.close();
});

/** What is printed as "…" is a text, whichever. */
function blanked(printed: unknown, real: unknown): unknown {
  if (printed === "…") return typeof real === "string" ? "…" : real;
  if (typeof printed !== "object" || printed === null || typeof real !== "object" || real === null) return real;
  return Object.fromEntries(
    Object.entries(real).map(([key, value]) => [key, blanked((printed as Record<string, unknown>)[key], value)]),
  );
}

describe("S1.09 the guide registering.md", () => {
  const requests = blocks.flatMap(({ language, body }, index) => (language === "http" ? [{ body, index }] : []));

  test("has requests, each with its answer", () => {
    expect(requests).toHaveLength(3);
    expect(requests.map(({ index }) => blocks[index + 1]?.language)).toEqual(["json", "json", "json"]);
  });

  test.each(requests.map(({ body, index }) => [body.split("\n")[0]!, body, index] as const))(
    "%s is answered as printed",
    async (line, request, index) => {
      const [method, path] = line.split(" ");
      const body = request.slice(request.indexOf("{")).replace(printedToken, () => fixture.tokenTo("ada@example.org"));
      const key = request.includes("X-API-Key") ? { key: admin } : {};
      const answer = await server.call(method!, path!, { body: JSON.parse(body), ...key });
      expect(Math.floor(answer.status / 100)).toBe(2);
      const printed = JSON.parse(blocks[index + 1]!.body);
      expect(blanked(printed, answer.json)).toEqual(printed);
      await fixture.sendMails();
    },
  );
});
