// Registration's routes: who may call them, what they take, and that their answers are the same, byte for byte, for an address that is
// known and one that is not.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { registrationRoutes } from "../../src/features/registration";
import { idempotencyOf, originOf, principalOf } from "../../src/http/request-context";
import { find } from "../../src/storage/idempotency";
import { type Answer, type TestServer, testServer } from "../harness/http";
import { withPersons } from "../harness/identity";
import { openRegistration, type RegistrationFixture } from "../harness/registration";

const ada = { email: "ada@example.org", password: "seven-green-boats" };
const token = "1Zs2b7m9cQe0dRkT4uVw6xYzA8BfCgDhEiFjGkHlImJ";
const tenMinutes = 10 * 60_000;

let fixture: RegistrationFixture;
let server: TestServer;
let adminKey: string;
let adaId: string;

beforeAll(async () => {
  fixture = await openRegistration();
  server = testServer({
    features: [registrationRoutes({ registration: fixture.registration, principalOf, originOf, idempotencyOf })],
    authenticator: withPersons(fixture),
    idempotencyStore: { find: (scope) => find(fixture.storage.read, scope) },
  });
  adminKey = (await fixture.keys.ensureFirstAdminKey(fixture.keyFile))!;
  await server.call("POST", "/api/v1/auth/register", { body: ada });
  await fixture.sendMails();
  const verified = await server.call("POST", "/api/v1/auth/verify-email", {
    body: { token: fixture.tokenTo(ada.email) },
  });
  adaId = verified.json.user.id;
});
beforeEach(() => fixture.clock.advance(tenMinutes));
afterAll(async () => {
  await server.close();
  await fixture.close();
});

const asAda = () => ({ authorization: `Bearer person.${adaId}` });
const shown = ({ status, headers, text }: Answer) => ({
  status,
  text: text.replace(/"trace_id":"[0-9a-f]+"/, ""),
  headers: [...headers].filter(([name]) => !["x-request-id", "server-timing"].includes(name)),
});

describe("answers to strangers", () => {
  test.each([
    ["register", "register", (email: string) => ({ email, password: "eight-blue-trains" }), 202],
    ["resend-verification", "resend-verification", (email: string) => ({ email }), 202],
    ["password/forgot", "password/forgot", (email: string) => ({ email }), 202],
    ["register, refused for its password", "register", (email: string) => ({ email, password: "password" }), 422],
  ])(
    "S1.01 S1.09 of %s are the same for an address that is known, waiting, unknown",
    async (_name, path, body, status) => {
      const waiting = "waiting@example.org";
      await fixture.registration.register({
        ...ada,
        email: waiting,
        origin: { ipAddress: null, userAgent: null },
      });
      const answers = [];
      for (const email of [ada.email, waiting, "nobody@example.org", "ADA@example.org"]) {
        answers.push(shown(await server.call("POST", `/api/v1/auth/${path}`, { body: body(email) })));
      }
      expect(answers[0]!.status).toBe(status);
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      await fixture.sendMails();
    },
  );

  test("S1.01 S1.02 say what the contract says", async () => {
    const say = async (path: string, body: object) =>
      (await server.call("POST", `/api/v1/auth/${path}`, { body })).json;
    expect(await say("register", { ...ada, email: "new@example.org" })).toEqual({ status: "verification_sent" });
    expect(await say("resend-verification", { email: ada.email })).toEqual({ status: "verification_sent" });
    expect(await say("password/forgot", { email: ada.email })).toEqual({ status: "reset_sent" });
  });
});

describe("what is not taken", () => {
  test.each([
    ["register", {}, "/email", "REQUIRED"],
    ["register", { email: ada.email }, "/password", "REQUIRED"],
    ["register", { ...ada, role: "admin" }, "/role", "UNKNOWN_FIELD"],
    ["register", { ...ada, is_verified: true }, "/is_verified", "UNKNOWN_FIELD"],
    ["register", { ...ada, email: ["ada@example.org"] }, "/email", "WRONG_TYPE"],
    ["register", { ...ada, email: "ada" }, "/email", "EMAIL_INVALID"],
    ["register", { ...ada, email: "ada@example.org\r\nBcc: eve@example.org" }, "/email", "EMAIL_INVALID"],
    ["register", { ...ada, email: `${"a".repeat(320)}@x.org` }, "/email", "TOO_LONG"],
    ["register", { ...ada, password: "short" }, "/password", "PASSWORD_TOO_SHORT"],
    ["register", { ...ada, password: "x".repeat(129) }, "/password", "PASSWORD_TOO_LONG"],
    ["register", { ...ada, password: "x".repeat(1025) }, "/password", "TOO_LONG"],
    ["register", { ...ada, password: "1234567890" }, "/password", "PASSWORD_COMMON"],
    ["register", { ...ada, password: "ada@example.org" }, "/password", "PASSWORD_LIKE_ADDRESS"],
    ["register", { ...ada, password: 12345678 }, "/password", "WRONG_TYPE"],
    ["register", { ...ada, name: "" }, "/name", "TOO_SHORT"],
    ["register", { ...ada, name: "Ada\r\nX: y" }, "/name", "WRONG_FORM"],
    ["register", { ...ada, name: "x".repeat(101) }, "/name", "TOO_LONG"],
    ["verify-email", {}, "/token", "REQUIRED"],
    ["verify-email", { token: "x" }, "/token", "WRONG_FORM"],
    ["verify-email", { token: `${token}'` }, "/token", "WRONG_FORM"],
    ["verify-email", { token }, "/token", "TOKEN_INVALID"],
    ["resend-verification", { email: "ada" }, "/email", "EMAIL_INVALID"],
    ["password/forgot", { email: 7 }, "/email", "WRONG_TYPE"],
    ["password/forgot", { email: ada.email, to: "eve@example.org" }, "/to", "UNKNOWN_FIELD"],
    ["password/reset", { token, password: "eight-blue-trains" }, "/token", "TOKEN_INVALID"],
    ["password/reset", { password: "eight-blue-trains" }, "/token", "REQUIRED"],
  ])("S1.09 S2.14 %s with %p: 422 at %s, %s, and the answer repeats no value", async (path, body, pointer, code) => {
    const answer = await server.call("POST", `/api/v1/auth/${path}`, { body });
    expect([answer.status, answer.json.errors[0]]).toMatchObject([422, { pointer, code }]);
    for (const value of Object.values(body)) {
      if (typeof value === "string" && value.length > 5) expect(answer.text).not.toContain(value);
    }
  });

  test.each(["register", "verify-email", "resend-verification", "password/forgot", "password/reset"])(
    "S1.09 %s takes JSON by POST and nothing else",
    async (path) => {
      const address = `/api/v1/auth/${path}`;
      expect((await server.call("GET", address)).status).toBe(405);
      const form = { "content-type": "application/x-www-form-urlencoded" };
      expect((await server.call("POST", address, { body: "email=a%40b", headers: form })).status).toBe(415);
      expect((await server.call("POST", address, { body: "{" })).status).toBe(400);
    },
  );
});

describe("changing a password", () => {
  const path = "/api/v1/auth/password";
  const body = { current_password: ada.password, new_password: "eight-blue-trains" };

  test("S2.12 is a person's own act: nobody's without credentials, no key's, not even an administrator's", async () => {
    expect((await server.call("POST", path, { body })).status).toBe(401);
    expect((await server.call("POST", path, { body, key: adminKey })).status).toBe(403);
  });

  test("S2.12 with a wrong present one is 422 at its field, and with the right one changes it", async () => {
    const wrong = { ...body, current_password: "not-the-password" };
    const refused = await server.call("POST", path, { body: wrong, headers: asAda() });
    expect([refused.status, refused.json.errors[0]]).toMatchObject([
      422,
      { pointer: "/current_password", code: "PASSWORD_WRONG" },
    ]);
    const weak = await server.call("POST", path, { body: { ...body, new_password: "password" }, headers: asAda() });
    expect([weak.status, weak.json.errors[0].pointer]).toEqual([422, "/new_password"]);
    const changed = await server.call("POST", path, { body, headers: asAda() });
    expect([changed.status, changed.json]).toEqual([200, { status: "password_set" }]);
    expect(await fixture.registration.checkPassword(ada.email, body.new_password)).not.toBeNull();
  });
});

describe("making a user", () => {
  const path = "/api/v1/admin/users";
  const grace = { email: "grace@example.org", name: "Grace Hopper", role: "trader" };

  test("S2.12 is an administrator's alone", async () => {
    expect((await server.call("POST", path, { body: grace })).status).toBe(401);
    expect((await server.call("POST", path, { body: grace, headers: asAda() })).status).toBe(403);
  });

  test("S2.12 answers 201 with the user, once for one Idempotency-Key, and mails once", async () => {
    await fixture.sendMails();
    const headers = { "idempotency-key": "make-grace" };
    const first = await server.call("POST", path, { body: grace, key: adminKey, headers });
    expect([first.status, first.json.user]).toMatchObject([201, { ...grace, email_verified_at: null }]);
    const again = await server.call("POST", path, { body: grace, key: adminKey, headers });
    expect([again.status, again.text, again.headers.get("idempotency-replayed")]).toEqual([201, first.text, "true"]);
    const anew = await server.call("POST", path, { body: grace, key: adminKey });
    expect([anew.status, anew.json.code]).toEqual([409, "EMAIL_TAKEN"]);
    expect((await fixture.sendMails()).map(({ to }) => to)).toEqual([grace.email]);
  });

  test.each([
    [{ ...grace, role: "root" }, "/role"],
    [{ ...grace, email: "grace" }, "/email"],
    [{ ...grace, password: "eight-blue-trains" }, "/password"],
    [{ email: grace.email, name: grace.name }, "/role"],
  ])("S2.14 with %p is 422 at %s", async (body, pointer) => {
    const answer = await server.call("POST", path, { body, key: adminKey });
    expect([answer.status, answer.json.errors[0].pointer]).toEqual([422, pointer]);
  });
});
