// The journey of somebody who comes to bsopt, on the executable and with a real mail server: register, confirm by mail, sign in, price,
// refresh, leave, and be refused. And the same for a bot with a key, a bot with a token, a browser, and somebody with a second factor.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type MailServer, startMailServer, subjectOfMail, tokenInMail } from "../harness/mail-server";
import { SecuredServer } from "../harness/secured-server";
import { until } from "../harness/storage";
import { totpOf } from "../harness/totp";

const option = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  volatility: 0.2,
};

let server: SecuredServer;
let mail: MailServer;
const email = "ada.lovelace@canary-mail.example";
const password = "seven-green-boats-canary";

beforeAll(async () => {
  mail = await startMailServer();
  // The limits are on, as anybody finds them.
  server = await SecuredServer.start({ mail, environment: { BSOPT_RATE_LIMITS: "on" } });
  server.keep("Ada's address", email);
  server.keep("Ada's password", password);
}, 60_000);
afterAll(async () => {
  await server.close();
  await mail.close();
});

const post = (
  path: string,
  body?: object,
  more: { bearer?: string; key?: string; headers?: Record<string, string> } = {},
) => server.call("POST", `/api/v1/${path}`, { ...(body && { body }), ...more });

/** Prices the option; its status, and its price where there is one. */
async function price(credentials: { bearer?: string; key?: string; headers?: Record<string, string> }) {
  const { status, json } = await post("pricing/price", option, credentials);
  return { status, isPriced: Math.abs((json.price ?? 0) - 3.9656959945341868) < 1.05e-13 };
}

const priced = { status: 200, isPriced: true };
const refused = { status: 401, isPriced: false };

describe("somebody's journey", () => {
  let accessToken: string;
  let refreshToken: string;
  let userId: string;

  test("S1.01 begins with registering, which answers at once and says by mail what there is to say", async () => {
    const answer = await post("auth/register", {
      email: "Ada.Lovelace@Canary-Mail.example",
      password,
      name: "Ada Lovelace",
    });
    expect([answer.status, answer.json]).toEqual([202, { status: "verification_sent" }]);
    await until("the mail came", () => mail.mails.length === 1);
    expect(mail.mails[0]!.to).toEqual([email]);
    expect(subjectOfMail(mail.mails[0]!.text)).toBe("Confirm your address");
  });

  test("S1.03 S1.02 cannot go on before the address is confirmed: signing in says so", async () => {
    const answer = await post("auth/login", { email, password });
    expect([answer.status, answer.json.code]).toEqual([403, "EMAIL_UNVERIFIED"]);
  });

  test("S1.02 goes on with the token out of the mail, which works once", async () => {
    const token = server.keep("Ada's mailed token", tokenInMail(mail.mails[0]!.text));
    const verified = await post("auth/verify-email", { token });
    expect(verified.status).toBe(200);
    expect(verified.json.user).toMatchObject({ email, name: "Ada Lovelace", role: "viewer", disabled_at: null });
    userId = verified.json.user.id;
    const again = await post("auth/verify-email", { token });
    expect([again.status, again.json.code]).toEqual([422, "TOKEN_INVALID"]);
  });

  test("S1.03 S2.12 goes on with signing in, which a wrong password does not do", async () => {
    const wrong = await post("auth/login", { email, password: "seven-green-goats-canary" });
    expect([wrong.status, wrong.json.code]).toEqual([401, "LOGIN_FAILED"]);
    const answer = await post("auth/login", { email, password });
    expect([answer.status, answer.json.token_type]).toEqual([200, "Bearer"]);
    expect(answer.json.expires_in).toBeLessThanOrEqual(900);
    accessToken = server.keep("Ada's access token", answer.json.access_token);
    refreshToken = server.keep("Ada's refresh token", answer.json.refresh_token);
    const me = await server.call("GET", "/api/v1/auth/me", { bearer: accessToken });
    expect(me.json).toMatchObject({ id: userId, email, role: "viewer" });
  });

  test("S1.09 S1.04 gets its price", async () => {
    expect(await price({ bearer: accessToken })).toEqual(priced);
    expect(await price({})).toEqual(refused);
  });

  test("S2.13 gets nothing that a viewer may not have", async () => {
    for (const path of ["/api/v1/admin/users", "/api/v1/audit"]) {
      const answer = await server.call("GET", path, { bearer: accessToken });
      expect([path, answer.status, answer.json.code]).toEqual([path, 403, "PERMISSION_MISSING"]);
    }
  });

  test("S2.12 goes on with a fresh pair of tokens for the old", async () => {
    const refreshed = await post("auth/refresh", { refresh_token: refreshToken });
    expect(refreshed.status).toBe(200);
    expect(refreshed.json.refresh_token).not.toBe(refreshToken);
    const raced = await post("auth/refresh", { refresh_token: refreshToken });
    expect([raced.status, raced.json.code]).toEqual([409, "REFRESH_RACED"]);
    accessToken = server.keep("Ada's next access token", refreshed.json.access_token);
    refreshToken = server.keep("Ada's next refresh token", refreshed.json.refresh_token);
    expect(await price({ bearer: accessToken })).toEqual(priced);
  });

  test("S2.12 ends with leaving, after which nothing of it opens anything", async () => {
    expect((await post("auth/logout", undefined, { bearer: accessToken })).status).toBe(204);
    expect(await price({ bearer: accessToken })).toEqual(refused);
    expect((await server.call("GET", "/api/v1/auth/me", { bearer: accessToken })).status).toBe(401);
    expect((await post("auth/refresh", { refresh_token: refreshToken })).status).toBe(401);
  });

  test("S2.32 S2.33 left its lines in the audit log, in order, and the chain holds", async () => {
    const { json } = await server.call("GET", `/api/v1/audit?user_id=${userId}&limit=200`, { key: "admin" });
    const events = json.data.map(
      ({ event_type: type, status }: { event_type: string; status: string }) => `${type} ${status}`,
    );
    const expected = [
      "auth.register success",
      "auth.email.verified success",
      "auth.login.success success",
      "auth.token.refreshed success",
      "auth.logout success",
    ];
    const written = events.reverse().filter((event: string) => expected.includes(event));
    expect(written).toEqual(expected);
    const verified = await server.run(["verify", "audit"]);
    expect([verified.code, verified.stderr]).toEqual([0, ""]);
  });
});

describe("a bot's journey", () => {
  let ownerToken: string;
  let key: string;
  let keyId: string;

  beforeAll(async () => {
    ownerToken = (await server.signIn(await server.person("trader"))).accessToken;
  });

  test("S3.02 begins with a key that its owner makes, and prices with it", async () => {
    const made = await post("api-keys", { name: "bot", scopes: ["pricing:read"] }, { bearer: ownerToken });
    expect(made.status).toBe(201);
    key = server.keep("the bot's key", made.json.secret);
    keyId = made.json.id;
    expect(await price({ key })).toEqual(priced);
    expect(await price({ bearer: key })).toEqual(priced);
  });

  test("S3.02 may go on with a token for the key, no wider than the key", async () => {
    const [, id, secret] = key.split("_");
    const body = { grant_type: "client_credentials", client_id: id, client_secret: secret };
    const given = await post("oauth/token", body);
    expect([given.status, given.json.token_type, given.json.scope]).toEqual([200, "Bearer", "pricing:read"]);
    const bearer = server.keep("the bot's token", given.json.access_token);
    expect(await price({ bearer })).toEqual(priced);
    const wider = await post("oauth/token", { ...body, scope: "pricing:read admin" });
    expect([wider.status, wider.json.error]).toEqual([422, "invalid_scope"]);
    // A key, or a token for one, is nobody signed in.
    for (const credentials of [{ key }, { bearer }]) {
      expect((await server.call("GET", "/api/v1/auth/sessions", credentials)).status).toBe(403);
      expect((await post("api-keys", { name: "x", scopes: ["pricing:read"] }, credentials)).status).toBe(403);
    }
    expect((await server.call("DELETE", `/api/v1/api-keys/${keyId}`, { bearer: ownerToken })).status).toBe(204);
    expect(await price({ key })).toEqual(refused);
    expect(await price({ bearer })).toEqual(refused);
    expect((await post("oauth/token", body)).status).toBe(401);
  });
});

describe("a browser's journey", () => {
  test("S2.12 goes by cookie: reading with it alone, changing with its token, and is over when it leaves", async () => {
    const browser = await server.signInByCookie(await server.person("viewer"));
    const cookie = { cookie: `__Host-bsopt=${browser.cookie}` };
    expect((await server.call("GET", "/api/v1/auth/me", { headers: cookie })).status).toBe(200);
    const meant = { ...cookie, origin: server.url, "x-csrf-token": browser.csrfToken };
    expect(await price({ headers: meant })).toEqual(priced);
    expect((await post("pricing/price", option, { headers: cookie })).status).toBe(403);
    expect((await post("auth/logout", undefined, { headers: meant })).status).toBe(204);
    expect(await price({ headers: meant })).toEqual(refused);
  });
});

describe("a journey with a second factor", () => {
  test("S2.12 asks for the code after the password, takes a recovery code where the device is lost, and is turned off by either", async () => {
    const person = await server.person("trader");
    const { accessToken } = await server.signIn(person);
    const setup = await post("auth/totp/setup", undefined, { bearer: accessToken });
    const secret = server.keep("a TOTP secret", setup.json.secret);
    expect(setup.json.otpauth_uri).toContain(secret);
    const confirmed = await post("auth/totp/confirm", { code: totpOf(secret, Date.now()) }, { bearer: accessToken });
    expect([confirmed.status, confirmed.json.recovery_codes.length]).toEqual([200, 10]);
    const [one, two] = confirmed.json.recovery_codes;

    const signIn = async (code: string) => {
      const first = await post(
        "auth/login",
        { email: person.email, password: person.password },
        { headers: server.stranger() },
      );
      expect(first.json).toEqual({ mfa_required: true, mfa_token: expect.any(String) });
      return post("auth/login/totp", { mfa_token: first.json.mfa_token, code }, { headers: server.stranger() });
    };
    const byApp = await signIn(totpOf(secret, Date.now() + 30_000));
    expect(byApp.status).toBe(200);
    expect(await price({ bearer: server.keep("a token by an app", byApp.json.access_token) })).toEqual(priced);
    const byRecovery = await signIn(one);
    expect(byRecovery.status).toBe(200);
    const bearer = server.keep("a token by recovery", byRecovery.json.access_token);
    expect((await signIn(one)).status).toBe(401);
    expect((await post("auth/totp/disable", { code: two }, { bearer })).status).toBe(204);
    const plain = await server.signIn(person);
    expect(await price({ bearer: plain.accessToken })).toEqual(priced);
  });
});
