// Signing in as clients see it: passwords, tokens, refreshing, leaving, cookies, second factors and tokens for keys.

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { permissions } from "../../src/domain/permission";
import { auditEvents } from "../../src/features/audit/table";
import { acceptedStep, bytesOfBase32, totpCode, totpStepOf } from "../../src/features/login/rules";
import { loginSessions, refreshTokens } from "../../src/features/sessions/table";
import { BsoptError } from "../../src/foundation/errors";
import { craftedTokens, malformedTokens } from "../harness/crafted-tokens";
import type { Answer } from "../harness/http";
import { ada, adasPassword, bearer, type LoginFixture, openLogin } from "../harness/login";
import { until } from "../harness/storage";
import { releaseMachineClock } from "../harness/tokens";

releaseMachineClock();

let fixture: LoginFixture;
let seed = 40n;
/** Every test has people, buckets and a database of its own. */
function fresh(): void {
  beforeEach(async () => {
    seed += 1n;
    fixture = await openLogin({ seed });
    return () => undefined;
  });
}
const closing: LoginFixture[] = [];
fresh();
beforeEach(() => void closing.push(fixture));
afterAll(async () => {
  for (const each of closing) await each.close();
});

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const tokenOf = (answer: Answer) => bearer(answer.json.access_token);
const refresh = (token: string) => fixture.call("POST", "/api/v1/auth/refresh", { body: { refresh_token: token } });
const listSessions = (options: object) => fixture.call("GET", "/api/v1/auth/sessions", options);
const outcome = ({ status, json }: Answer) => [status, json?.code ?? null];
const events = async () => (await fixture.storage.read.select().from(auditEvents)).map(({ eventType }) => eventType);
/** Waits until the noted refusals are written, for they are written beside the answer. */
const untilNoted = (type: string) =>
  until(`${type} is recorded`, async () => (await events()).some((each) => each === type));

describe("signing in", () => {
  test("S1.03 S2.12 with the right password answers a token that works, a refresh token and the user", async () => {
    const user = await fixture.person();
    const answer = await fixture.signIn();
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("set-cookie")).toBeNull();
    expect(answer.headers.get("server-timing")).toMatch(/^total;dur=[\d.]+$/);
    expect(answer.json).toMatchObject({ token_type: "Bearer", expires_in: 900, user: { id: user.id, email: ada } });
    expect(answer.json.refresh_token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect((await fixture.call("GET", "/api/v1/auth/me", tokenOf(answer))).json.id).toBe(user.id);
    expect(await events()).toContain("auth.login.success");
  });

  test("S2.27 guessing one account from ever new addresses is slowed to fifty tries a day, and keeps out nobody who was here before", async () => {
    await fixture.person();
    await fixture.person({ email: "bob@example.org" });
    let senders = 0;
    const tried = async (email: string, password: string, ipAddress = `198.51.${senders >> 8}.${senders++ & 255}`) => {
      const origin = { ipAddress, userAgent: null };
      return fixture.login.login({ email, password, origin }).then(
        () => "in",
        (error: { code: string }) => error.code,
      );
    };
    const home = "192.0.2.1";
    // From a new address: the account's first token.
    expect(await tried(ada, adasPassword, home)).toBe("in");
    const first = await Promise.all(Array.from({ length: 40 }, () => tried(ada, "wrong")));
    expect(first.filter((code) => code === "LOGIN_FAILED")).toHaveLength(9);
    expect(first.filter((code) => code === "LOGIN_LIMITED")).toHaveLength(31);
    // In other spellings it is the same account; another account is another matter; and the owner comes from where they came from before.
    expect(await tried(" ADA@Example.org ", "wrong")).toBe("LOGIN_LIMITED");
    expect(await tried("bob@example.org", "wrong")).toBe("LOGIN_FAILED");
    expect(await tried(ada, adasPassword, home)).toBe("in");
    expect(await tried(ada, adasPassword)).toBe("LOGIN_LIMITED");
    // Minute after minute for a day: the hour's and the day's buckets take over.
    let failed = 10;
    for (let minutes = 0; minutes < 24 * 60; minutes += 5) {
      fixture.advance(5 * minute);
      for (let tries = 0; tries < 3; tries++) if ((await tried(ada, "wrong")) === "LOGIN_FAILED") failed += 1;
      if (minutes === 55) expect(failed).toBeLessThanOrEqual(31);
    }
    expect(failed).toBeGreaterThan(60);
    expect(failed).toBeLessThanOrEqual(101);
    expect(await tried(ada, adasPassword, home)).toBe("in");
  });

  test("S2.12 with a wrong password, an unknown address and a disabled account is one and the same refusal", async () => {
    await fixture.person();
    const off = await fixture.person({ email: "off@example.org" });
    const actor = { userId: null, origin: { ipAddress: null, userAgent: null } };
    await fixture.identity.changeUser({ actor, userId: off.id, patch: { disabled: true } });
    const answers = [
      await fixture.signIn(ada, { password: "wrong horse battery staple" }),
      await fixture.signIn("nobody@example.org"),
      await fixture.signIn("off@example.org"),
      await fixture.signIn("no address at all"),
    ];
    for (const answer of answers) {
      const { trace_id: _, ...told } = answer.json;
      expect([answer.status, told]).toEqual([401, { ...answers[0]!.json, trace_id: undefined }]);
      expect(answer.json.code).toBe("LOGIN_FAILED");
    }
    // The same work: each was asked of the slow hash.
    expect(fixture.asked).toHaveLength(4);
    await untilNoted("auth.login.failure");
  });

  test("S1.03 with an address not confirmed is told so, but only after the right password", async () => {
    await fixture.person({ isVerified: false });
    expect(outcome(await fixture.signIn())).toEqual([403, "EMAIL_UNVERIFIED"]);
    expect(outcome(await fixture.signIn(ada, { password: "wrong" }))).toEqual([401, "LOGIN_FAILED"]);
    expect(await fixture.storage.read.select().from(loginSessions)).toEqual([]);
  });

  test("S2.12 takes an address in any spelling of its letters", async () => {
    await fixture.person();
    expect((await fixture.signIn("ADA@Example.ORG")).status).toBe(200);
  });

  const bodies: [string, unknown, number, string][] = [
    ["no password", { email: ada }, 422, "SCHEMA_INVALID"],
    ["an unknown field", { email: ada, password: adasPassword, role: "admin" }, 422, "SCHEMA_INVALID"],
    ["a password that is a list", { email: ada, password: [adasPassword] }, 422, "SCHEMA_INVALID"],
    ["a password that is an object", { email: ada, password: { $ne: "" } }, 422, "SCHEMA_INVALID"],
    ["a password of 513 letters", { email: ada, password: "x".repeat(513) }, 422, "SCHEMA_INVALID"],
    ["an address of 255 letters", { email: `${"x".repeat(243)}@example.org`, password: "x" }, 422, "SCHEMA_INVALID"],
    ["an empty password", { email: ada, password: "" }, 422, "SCHEMA_INVALID"],
    ["cookie as text", { email: ada, password: adasPassword, cookie: "yes" }, 422, "SCHEMA_INVALID"],
    ["SQL for an address", { email: "' OR 1=1 --", password: "x" }, 401, "LOGIN_FAILED"],
    ["no JSON", "{", 400, "BODY_MALFORMED"],
  ];
  for (const [what, body, status, code] of bodies) {
    test(`S2.14 with ${what} answers ${status} and echoes no password`, async () => {
      const answer = await fixture.call("POST", "/api/v1/auth/login", { body });
      expect(outcome(answer)).toEqual([status, code]);
      expect(answer.text).not.toContain(adasPassword);
    });
  }

  test("S2.27 too often is told to come back, before the slow hash is asked, and works again after that time", async () => {
    await fixture.person();
    const seen: number[] = [];
    for (let tries = 0; tries < 14; tries++) seen.push((await fixture.signIn(ada, { password: "wrong" })).status);
    expect(seen).toEqual([...Array(10).fill(401), ...Array(4).fill(429)]);
    expect(fixture.asked).toHaveLength(10);
    const refused = await fixture.signIn();
    expect(outcome(refused)).toEqual([429, "LOGIN_LIMITED"]);
    expect(refused.json.retryable).toBe(true);
    fixture.advance(Number(refused.headers.get("retry-after")) * second);
    expect((await fixture.signIn()).status).toBe(200);
  });

  test("S2.27 where no password can be checked now is 503 with a time, and nothing is looked up for it", async () => {
    await fixture.person();
    fixture.busy.requireRoom = () => {
      throw new BsoptError({ reason: "unavailable", code: "PASSWORDS_BUSY", detail: "Busy.", retryAfterSeconds: 2 });
    };
    const answer = await fixture.signIn();
    expect([...outcome(answer), answer.headers.get("retry-after")]).toEqual([503, "PASSWORDS_BUSY", "2"]);
    expect(fixture.asked).toEqual([]);
    fixture.busy.requireRoom = () => {};
    expect((await fixture.signIn()).status).toBe(200);
  });

  test("ends the oldest session where there are as many as there may be", async () => {
    await fixture.person();
    const answers: Answer[] = [];
    for (let count = 0; count < 4; count++) {
      answers.push(await fixture.signIn());
      fixture.advance(second);
    }
    expect(outcome(await listSessions(tokenOf(answers[0]!)))).toEqual([401, "SESSION_ENDED"]);
    for (const answer of answers.slice(1)) expect((await listSessions(tokenOf(answer))).json.data).toHaveLength(3);
    expect(await events()).toContain("auth.session.revoked");
  });
});

describe("an access token", () => {
  test("S4.54 S4.56 that somebody made up is 401 in every shape", async () => {
    await fixture.person({ role: "admin" });
    const { access_token: good } = (await fixture.signIn()).json;
    const kid = JSON.parse(Buffer.from(good.split(".")[0], "base64url").toString()).kid;
    const material = { good, keyPair: await fixture.keyPair(kid), nowSeconds: fixture.nowSeconds() };
    const taken: unknown[] = [];
    for (const [what, token] of [...craftedTokens(material), ...malformedTokens(material)]) {
      let answer: Answer;
      try {
        answer = await listSessions(bearer(token));
      } catch {
        continue; // No client can send such a header.
      }
      if (answer.status !== 401) taken.push([what, answer.status]);
    }
    expect(taken).toEqual([]);
    expect((await listSessions(bearer(good))).status).toBe(200);
  });

  test("S2.12 is refused beside an API key, as a Basic credential, and as a key", async () => {
    await fixture.person();
    const { access_token: good } = (await fixture.signIn()).json;
    for (const [headers, code] of [
      [{ authorization: `Bearer ${good}`, "x-api-key": "bso_a_b" }, "CREDENTIALS_AMBIGUOUS"],
      [{ authorization: `Basic ${good}` }, "CREDENTIALS_MALFORMED"],
      [{ authorization: good }, "CREDENTIALS_MALFORMED"],
      [{ "x-api-key": good }, "API_KEY_INVALID"],
    ] as const) {
      expect(outcome(await listSessions({ headers }))).toEqual([401, code]);
    }
  });

  test("S3.02 may do what its user's role allows, and a change of the role ends what was given before", async () => {
    const user = await fixture.person({ role: "viewer" });
    await fixture.person({ email: "root@example.org", role: "admin" });
    const actor = { userId: null, origin: { ipAddress: null, userAgent: null } };
    const keysOf = (answer: Answer) => fixture.call("GET", "/api/v1/admin/signing-keys", tokenOf(answer));
    const asViewer = await fixture.signIn();
    expect(outcome(await keysOf(asViewer))).toEqual([403, "PERMISSION_MISSING"]);
    fixture.advance(second);
    await fixture.identity.changeUser({ actor, userId: user.id, patch: { role: "admin" } });
    expect(outcome(await keysOf(asViewer))).toEqual([401, "SESSION_ENDED"]);
    const asAdmin = await fixture.signIn();
    expect((await keysOf(asAdmin)).status).toBe(200);
    fixture.advance(second);
    await fixture.identity.changeUser({ actor, userId: user.id, patch: { role: "viewer" } });
    expect(outcome(await keysOf(asAdmin))).toEqual([401, "SESSION_ENDED"]);
  });
});

describe("refreshing", () => {
  test("S1.03 S2.12 gives a new pair; the session stays one, and the old token no longer works", async () => {
    await fixture.person();
    const first = await fixture.signIn();
    fixture.advance(20 * minute);
    expect(outcome(await listSessions(tokenOf(first)))).toEqual([401, "TOKEN_INVALID"]);
    const next = await refresh(first.json.refresh_token);
    expect(next.status).toBe(200);
    expect(Object.keys(next.json).sort()).toEqual(["access_token", "expires_in", "refresh_token", "token_type"]);
    expect(next.json.refresh_token).not.toBe(first.json.refresh_token);
    expect((await listSessions(tokenOf(next))).json.data).toHaveLength(1);
    expect(await events()).toContain("auth.token.refreshed");
  });

  const moments: [string, number, [number, string]][] = [
    ["at once", 0, [409, "REFRESH_RACED"]],
    ["ten seconds later to the microsecond", 10 * second, [409, "REFRESH_RACED"]],
    ["a microsecond after that", 10 * second + 0.001, [401, "REFRESH_INVALID"]],
    ["an hour later", hour, [401, "REFRESH_INVALID"]],
  ];
  for (const [when, milliseconds, expected] of moments) {
    const dies = expected[0] === 401;
    test(`S2.12 with a token used before, ${when}, answers ${expected[0]} and ${dies ? "ends the session" : "nothing dies"}`, async () => {
      await fixture.person();
      const first = await fixture.signIn();
      const next = await refresh(first.json.refresh_token);
      fixture.advance(milliseconds);
      expect(outcome(await refresh(first.json.refresh_token))).toEqual(expected);
      expect((await refresh(next.json.refresh_token)).status).toBe(dies ? 401 : 200);
      expect((await events()).includes("auth.token.reuse")).toBe(dies);
      if (dies && milliseconds < 15 * minute) {
        expect(outcome(await listSessions(tokenOf(next)))).toEqual([401, "SESSION_ENDED"]);
      }
    });
  }

  test("S2.12 fifty times at once with one token gives one successor, and the session lives on with it", async () => {
    await fixture.person();
    const { refresh_token: token } = (await fixture.signIn()).json;
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(token)));
    const [winners, losers] = [
      answers.filter(({ status }) => status === 200),
      answers.filter(({ status }) => status !== 200),
    ];
    expect(winners).toHaveLength(1);
    expect(losers.every((answer) => answer.json.code === "REFRESH_RACED")).toBe(true);
    const rows = await fixture.storage.read.select().from(refreshTokens);
    expect(rows.filter(({ usedAt }) => usedAt === null)).toHaveLength(1);
    expect(rows).toHaveLength(2);
    expect((await refresh(winners[0]!.json.refresh_token)).status).toBe(200);
  });

  test("with a made-up token answers 401 each time, and with a text that is none 422", async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => refresh(Buffer.alloc(32, index).toString("base64url"))),
    );
    expect(answers.map(outcome)).toEqual(Array(20).fill([401, "REFRESH_INVALID"]));
    expect(await fixture.storage.read.select().from(refreshTokens)).toEqual([]);
    expect(outcome(await refresh("short"))).toEqual([422, "SCHEMA_INVALID"]);
  });

  test("S2.12 ends with the session's idle time and with its life, however often it was refreshed", async () => {
    await fixture.person();
    let { refresh_token: token } = (await fixture.signIn()).json;
    fixture.advance(7 * day - 1);
    const next = await refresh(token);
    expect(next.status).toBe(200);
    token = next.json.refresh_token;
    fixture.advance(7 * day);
    expect(outcome(await refresh(token))).toEqual([401, "REFRESH_INVALID"]);

    token = (await fixture.signIn()).json.refresh_token;
    for (let week = 0; week < 5; week++) {
      fixture.advance(6 * day - (week === 4 ? 1 : 0));
      const answer = await refresh(token);
      expect([week, answer.status]).toEqual([week, 200]);
      token = answer.json.refresh_token;
    }
    fixture.advance(1);
    expect(outcome(await refresh(token))).toEqual([401, "REFRESH_INVALID"]);
  });
});

describe("leaving", () => {
  test("S2.12 ends the session at once: its token, its refresh token, and nobody else's", async () => {
    await fixture.person();
    const [here, there] = [await fixture.signIn(), await fixture.signIn()];
    expect((await fixture.call("POST", "/api/v1/auth/logout", tokenOf(here))).status).toBe(204);
    expect(outcome(await listSessions(tokenOf(here)))).toEqual([401, "SESSION_ENDED"]);
    expect(outcome(await refresh(here.json.refresh_token))).toEqual([401, "REFRESH_INVALID"]);
    expect((await listSessions(tokenOf(there))).json.data).toHaveLength(1);
    expect(await events()).toContain("auth.logout");
  });

  test("S3.02 holds in another process within five seconds, even if it is told nothing", async () => {
    await fixture.person();
    const signedIn = await fixture.signIn();
    const elsewhere = fixture.anotherSessions();
    const credentials = { bearerToken: signedIn.json.access_token, peerAddress: "" };
    await elsewhere.authenticate(credentials);
    await fixture.call("POST", "/api/v1/auth/logout", tokenOf(signedIn));
    expect(elsewhere.authenticate(credentials)).not.toBeInstanceOf(Promise);
    fixture.advance(5 * second);
    const failed = await Promise.resolve(elsewhere.authenticate(credentials)).catch((error) => error.code);
    expect(failed).toBe("SESSION_ENDED");
    await elsewhere.close();
  });

  for (const [what, change] of [
    ["disabling the user", { disabled: true }],
    ["narrowing the role", { role: "viewer" }],
  ] as const) {
    test(`S3.02 ${what} takes the access away at once here, and elsewhere when that process hears of a write`, async () => {
      const user = await fixture.person({ role: "trader" });
      await fixture.person({ email: "root@example.org", role: "admin" });
      const { access_token: bearerToken } = (await fixture.signIn()).json;
      const elsewhere = fixture.anotherSessions();
      const credentials = { bearerToken, peerAddress: "" };
      await elsewhere.authenticate(credentials);
      const actor = { userId: null, origin: { ipAddress: null, userAgent: null } };
      await fixture.identity.changeUser({ actor, userId: user.id, patch: change });
      fixture.tellForeignWrite();
      for (const sessions of [fixture.sessions, elsewhere]) {
        const held = await Promise.resolve(sessions.authenticate(credentials)).then(
          (principal) => principal.permissions.has("orders:write"),
          () => false,
        );
        expect(held).toBe(false);
      }
      await elsewhere.close();
    });
  }

  test("S2.12 a password that was changed ends the sessions opened before it", async () => {
    const user = await fixture.person();
    const signedIn = await fixture.signIn();
    fixture.advance(second);
    await fixture.storage.write((tx) => fixture.identity.endSessions(tx, user.id, fixture.clock.nowMicroseconds()));
    fixture.identity.forget();
    expect(outcome(await listSessions(tokenOf(signedIn)))).toEqual([401, "SESSION_ENDED"]);
    expect(outcome(await refresh(signedIn.json.refresh_token))).toEqual([401, "REFRESH_INVALID"]);
    expect((await listSessions(tokenOf(await fixture.signIn()))).json.data).toHaveLength(1);
  });
});

describe("one's sessions", () => {
  test("are listed newest first with the present one marked, and ended one by one or all but the present", async () => {
    await fixture.person();
    const answers: Answer[] = [];
    for (let count = 0; count < 3; count++) {
      answers.push(await fixture.signIn());
      fixture.advance(second);
    }
    const [first, , last] = answers as [Answer, Answer, Answer];
    const page = await listSessions(tokenOf(first));
    expect(page.json).toMatchObject({ next_cursor: null, has_more: false });
    expect(page.json.data.map((each: { is_current: boolean }) => each.is_current)).toEqual([false, false, true]);
    const [newest] = page.json.data;
    const path = `/api/v1/auth/sessions/${newest.id}`;
    expect((await fixture.call("DELETE", path, tokenOf(first))).status).toBe(204);
    expect(outcome(await fixture.call("DELETE", path, tokenOf(first)))).toEqual([404, "SESSION_NOT_FOUND"]);
    expect(outcome(await listSessions(tokenOf(last)))).toEqual([401, "SESSION_ENDED"]);
    expect((await fixture.call("DELETE", "/api/v1/auth/sessions", tokenOf(first))).status).toBe(204);
    expect((await listSessions(tokenOf(first))).json.data).toHaveLength(1);
  });

  test("S2.13 of somebody else are not there: neither listed nor ended", async () => {
    await fixture.person();
    await fixture.person({ email: "eve@example.org" });
    const [hers, eves] = [await fixture.signIn(), await fixture.signIn("eve@example.org")];
    const { id } = (await listSessions(tokenOf(hers))).json.data[0];
    expect((await listSessions(tokenOf(eves))).json.data.map((each: { id: string }) => each.id)).not.toContain(id);
    const path = `/api/v1/auth/sessions/${id}`;
    expect(outcome(await fixture.call("DELETE", path, tokenOf(eves)))).toEqual([404, "SESSION_NOT_FOUND"]);
    expect((await listSessions(tokenOf(hers))).status).toBe(200);
  });
});

describe("a session by cookie", () => {
  const host = "localhost";
  const open = async (headers: Record<string, string> = {}) => {
    const answer = await fixture.call("POST", "/api/v1/auth/login", {
      body: { email: ada, password: adasPassword, cookie: true },
      headers,
    });
    const cookie = /^__Host-bsopt=([A-Za-z0-9_-]{43});/.exec(answer.headers.get("set-cookie") ?? "")?.[1] ?? "";
    return { answer, cookie, csrf: answer.json.csrf_token as string };
  };
  const cookieHeader = (cookie: string) => ({ cookie: `theme=dark; __Host-bsopt=${cookie}` });

  test("S4.54 is opened with a cookie that no script reads and no other site sends, and with no token in the answer", async () => {
    await fixture.person();
    const { answer, csrf } = await open();
    expect(answer.headers.get("set-cookie")).toMatch(
      /^__Host-bsopt=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200$/,
    );
    expect(Object.keys(answer.json).sort()).toEqual(["csrf_token", "expires_in", "user"]);
    expect(csrf).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(answer.text).not.toContain("access_token");
  });

  test("S4.54 lets its browser read, and is told its CSRF token again after the page was loaded anew", async () => {
    await fixture.person();
    const { cookie, csrf } = await open();
    expect((await listSessions({ headers: cookieHeader(cookie) })).json.data[0]).toMatchObject({ kind: "cookie" });
    const again = await fixture.call("GET", "/api/v1/auth/csrf", { headers: cookieHeader(cookie) });
    expect(again.json).toEqual({ csrf_token: csrf });
    const byToken = await fixture.call("GET", "/api/v1/auth/csrf", tokenOf(await fixture.signIn()));
    expect(outcome(byToken)).toEqual([422, "COOKIE_SESSION_NEEDED"]);
  });

  const sameOrigin = { origin: `https://${host}`, "sec-fetch-site": "same-origin" };
  const other = Buffer.alloc(32, 1).toString("base64url");
  const attempts: [string, (csrf: string) => Record<string, string>, boolean][] = [
    ["from its own page with the CSRF token", (csrf) => ({ ...sameOrigin, "x-csrf-token": csrf }), true],
    ["with Origin alone and the token", (csrf) => ({ origin: `http://${host}`, "x-csrf-token": csrf }), true],
    [
      "with Sec-Fetch-Site alone and the token",
      (csrf) => ({ "sec-fetch-site": "same-origin", "x-csrf-token": csrf }),
      true,
    ],
    ["without the CSRF token", () => sameOrigin, false],
    ["with an empty CSRF token", () => ({ ...sameOrigin, "x-csrf-token": "" }), false],
    ["with another session's CSRF token", () => ({ ...sameOrigin, "x-csrf-token": other }), false],
    [
      "with a CSRF token as long as a header may be",
      () => ({ ...sameOrigin, "x-csrf-token": "x".repeat(8000) }),
      false,
    ],
    ["from another origin with the token", (csrf) => ({ origin: "https://evil.example", "x-csrf-token": csrf }), false],
    ["from the origin null with the token", (csrf) => ({ origin: "null", "x-csrf-token": csrf }), false],
    ["from a port beside it", (csrf) => ({ origin: `https://${host}:8443`, "x-csrf-token": csrf }), false],
    [
      "from a name that begins like it",
      (csrf) => ({ origin: `https://${host}.evil.example`, "x-csrf-token": csrf }),
      false,
    ],
    ["from a name before an @", (csrf) => ({ origin: `https://${host}@evil.example`, "x-csrf-token": csrf }), false],
    [
      "from a subdomain by Sec-Fetch-Site",
      (csrf) => ({ ...sameOrigin, "sec-fetch-site": "same-site", "x-csrf-token": csrf }),
      false,
    ],
    [
      "from another site by Sec-Fetch-Site",
      (csrf) => ({ ...sameOrigin, "sec-fetch-site": "cross-site", "x-csrf-token": csrf }),
      false,
    ],
    ["without a word of where it comes from", (csrf) => ({ "x-csrf-token": csrf }), false],
  ];
  for (const [how, headersOf, isAllowed] of attempts) {
    test(`S4.54 CSRF: a change ${how} is ${isAllowed ? "done" : "403 CSRF_INVALID"}`, async () => {
      await fixture.person();
      const { cookie, csrf } = await open();
      const headers = { ...cookieHeader(cookie), ...headersOf(csrf) };
      const answer = await fixture.call("DELETE", "/api/v1/auth/sessions", { headers });
      expect(outcome(answer)).toEqual(isAllowed ? [204, null] : [403, "CSRF_INVALID"]);
    });
  }

  test("S4.54 a header's credential is the one that counts where both are sent, with no CSRF token asked for", async () => {
    await fixture.person();
    await fixture.person({ email: "eve@example.org" });
    const { cookie } = await open();
    const eve = await fixture.signIn("eve@example.org");
    const headers = { ...cookieHeader(cookie), authorization: `Bearer ${eve.json.access_token}` };
    expect((await fixture.call("GET", "/api/v1/auth/me", { headers })).json.email).toBe("eve@example.org");
    const wrong = { ...cookieHeader(cookie), authorization: "Bearer made.up.token" };
    expect((await fixture.call("GET", "/api/v1/auth/me", { headers: wrong })).status).toBe(401);
  });

  test("S4.54 session fixation: every sign-in has a fresh cookie, and one that somebody planted is never taken over", async () => {
    await fixture.person();
    const planted = Buffer.alloc(32, 5).toString("base64url");
    const first = await open(cookieHeader(planted));
    const second = await open(cookieHeader(first.cookie));
    expect(new Set([planted, first.cookie, second.cookie]).size).toBe(3);
    expect(first.csrf).not.toBe(second.csrf);
    expect((await listSessions({ headers: cookieHeader(planted) })).status).toBe(401);
  });

  for (const [what, header] of [
    ["twice", (cookie: string) => `__Host-bsopt=${cookie}; __Host-bsopt=${cookie}`],
    ["under another name", (cookie: string) => `bsopt=${cookie}`],
    ["with quotes", (cookie: string) => `__Host-bsopt="${cookie}"`],
    ["with a letter more", (cookie: string) => `__Host-bsopt=${cookie}A`],
    ["with a path behind it", (cookie: string) => `__Host-bsopt=${cookie}/`],
    ["empty", () => "__Host-bsopt="],
    ["in a header of 9,000 letters", (cookie: string) => `pad=${"x".repeat(9000)}; __Host-bsopt=${cookie}`],
  ] as const) {
    test(`S4.54 sent ${what} is no credential`, async () => {
      await fixture.person();
      const { cookie } = await open();
      expect(outcome(await listSessions({ headers: { cookie: header(cookie) } }))).toEqual([
        401,
        "CREDENTIALS_MISSING",
      ]);
    });
  }

  test("S2.12 leaving ends it and makes the browser forget it", async () => {
    await fixture.person();
    const { cookie, csrf } = await open();
    const headers = { ...cookieHeader(cookie), ...sameOrigin, "x-csrf-token": csrf };
    const left = await fixture.call("POST", "/api/v1/auth/logout", { headers });
    expect(left.status).toBe(204);
    expect(left.headers.get("set-cookie")).toBe("__Host-bsopt=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    expect(outcome(await listSessions({ headers: cookieHeader(cookie) }))).toEqual([401, "SESSION_ENDED"]);
  });

  test("S2.12 goes on while it is used, is over after an hour without, and after twelve hours in any case", async () => {
    await fixture.person();
    const { cookie } = await open();
    const alive = async () => (await listSessions({ headers: cookieHeader(cookie) })).status;
    for (let half = 0; half < 23; half++) {
      fixture.advance(30 * minute);
      expect([half, await alive()]).toEqual([half, 200]);
      if (half === 10) await fixture.sessions.flushUses();
    }
    fixture.advance(30 * minute - 1);
    expect(await alive()).toBe(200);
    fixture.advance(1);
    expect(await alive()).toBe(401);

    const idle = await open();
    fixture.advance(hour - 1);
    expect((await listSessions({ headers: cookieHeader(idle.cookie) })).status).toBe(200);
    fixture.advance(hour);
    expect((await listSessions({ headers: cookieHeader(idle.cookie) })).status).toBe(401);
  });
});

describe("a second factor", () => {
  const codeOf = (secret: string, stepsAway = 0) =>
    totpCode(bytesOfBase32(secret), totpStepOf(fixture.clock.nowMicroseconds()) + stepsAway);
  const post = (path: string, body: unknown, options: object = {}) =>
    fixture.call("POST", `/api/v1/auth/${path}`, { body, ...options });
  /** A user with a confirmed factor, its secret and recovery codes. */
  async function enabled() {
    await fixture.person();
    const signedIn = await fixture.signIn();
    const { secret } = (await fixture.call("POST", "/api/v1/auth/totp/setup", tokenOf(signedIn))).json;
    const confirmed = await post("totp/confirm", { code: codeOf(secret) }, tokenOf(signedIn));
    expect(confirmed.status).toBe(200);
    // The next code is another one.
    fixture.advance(30 * second);
    return { secret: secret as string, codes: confirmed.json.recovery_codes as string[], signedIn };
  }

  test("S2.12 is set up with a secret for an app, asks for nothing until confirmed, and then for its code", async () => {
    await fixture.person();
    const signedIn = await fixture.signIn();
    const setup = await fixture.call("POST", "/api/v1/auth/totp/setup", tokenOf(signedIn));
    expect(setup.json.secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(setup.json.otpauth_uri).toBe(
      `otpauth://totp/bsopt%3Aada%40example.org?secret=${setup.json.secret}&issuer=bsopt&algorithm=SHA1&digits=6&period=30`,
    );
    expect((await fixture.signIn()).json.access_token).toBeDefined();
    const wrong = await post("totp/confirm", { code: codeOf(setup.json.secret, 5) }, tokenOf(signedIn));
    expect(outcome(wrong)).toEqual([422, "TOTP_CODE_WRONG"]);
    const right = await post("totp/confirm", { code: codeOf(setup.json.secret) }, tokenOf(signedIn));
    expect(right.json.recovery_codes).toHaveLength(10);
    for (const code of right.json.recovery_codes) expect(code).toMatch(/^[a-z2-7]{4}(-[a-z2-7]{4}){5}$/);
    const answer = await fixture.signIn();
    expect(answer.json).toEqual({ mfa_required: true, mfa_token: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/) });
    expect(outcome(await fixture.call("POST", "/api/v1/auth/totp/setup", tokenOf(signedIn)))).toEqual([
      409,
      "TOTP_ENABLED",
    ]);
    expect(await events()).toContain("auth.totp.enabled");
  });

  for (const [when, stepsAway, isTaken] of [
    ["of the present step", 0, true],
    ["of the step before", -1, true],
    ["of the step after", 1, true],
    ["of two steps before", -2, false],
    ["of two steps after", 2, false],
  ] as const) {
    test(`S2.12 with the code ${when} is ${isTaken ? "passed" : "not passed"}`, async () => {
      const { secret } = await enabled();
      fixture.advance(5 * minute);
      const { mfa_token } = (await fixture.signIn()).json;
      const answer = await post("login/totp", { mfa_token, code: codeOf(secret, stepsAway) });
      expect(outcome(answer)).toEqual(isTaken ? [200, null] : [401, "MFA_FAILED"]);
      if (isTaken) expect((await listSessions(tokenOf(answer))).status).toBe(200);
    });
  }

  test("S2.12 no code works twice, nor one of a step before the last that was taken", async () => {
    const { secret } = await enabled();
    const code = codeOf(secret);
    const [one, other] = [(await fixture.signIn()).json, (await fixture.signIn()).json];
    expect((await post("login/totp", { mfa_token: one.mfa_token, code })).status).toBe(200);
    expect(outcome(await post("login/totp", { mfa_token: other.mfa_token, code }))).toEqual([401, "MFA_FAILED"]);
    const before = codeOf(secret, -1);
    expect(outcome(await post("login/totp", { mfa_token: other.mfa_token, code: before }))).toEqual([
      401,
      "MFA_FAILED",
    ]);
    expect((await post("login/totp", { mfa_token: other.mfa_token, code: codeOf(secret, 1) })).status).toBe(200);
  });

  test("S2.12 a login that waits works once, takes five codes, and lives five minutes", async () => {
    const { secret } = await enabled();
    const wrong = "000000" === codeOf(secret) ? "000001" : "000000";
    const once = (await fixture.signIn()).json.mfa_token;
    expect((await post("login/totp", { mfa_token: once, code: codeOf(secret) })).status).toBe(200);
    fixture.advance(30 * second);
    expect(outcome(await post("login/totp", { mfa_token: once, code: codeOf(secret) }))).toEqual([401, "MFA_FAILED"]);

    const tried = (await fixture.signIn()).json.mfa_token;
    for (let tries = 0; tries < 5; tries++) await post("login/totp", { mfa_token: tried, code: wrong });
    expect(outcome(await post("login/totp", { mfa_token: tried, code: codeOf(secret) }))).toEqual([401, "MFA_FAILED"]);

    fixture.advance(10 * minute);
    const late = (await fixture.signIn()).json.mfa_token;
    fixture.advance(5 * minute - 0.001);
    const wrongInTime = await post("login/totp", { mfa_token: late, code: wrong });
    expect(wrongInTime.status).toBe(401);
    fixture.advance(0.001);
    expect(outcome(await post("login/totp", { mfa_token: late, code: codeOf(secret) }))).toEqual([401, "MFA_FAILED"]);
  });

  test("S2.12 twenty times at once with one login and one code opens one session", async () => {
    const { secret } = await enabled();
    const { mfa_token } = (await fixture.signIn()).json;
    const before = (await fixture.storage.read.select().from(loginSessions)).length;
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => post("login/totp", { mfa_token, code: codeOf(secret) })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect((await fixture.storage.read.select().from(loginSessions)).length).toBe(before + 1);
  });

  test("S2.12 a recovery code stands in for it once, however it is typed", async () => {
    const { codes } = await enabled();
    const typed = ` ${codes[0]!.toUpperCase().replaceAll("-", " ")}`.trim();
    const one = (await fixture.signIn()).json.mfa_token;
    expect((await post("login/totp", { mfa_token: one, code: typed })).status).toBe(200);
    const two = (await fixture.signIn()).json.mfa_token;
    expect(outcome(await post("login/totp", { mfa_token: two, code: codes[0] }))).toEqual([401, "MFA_FAILED"]);
    expect((await post("login/totp", { mfa_token: two, code: codes[1] })).status).toBe(200);
    expect(await events()).toContain("auth.recovery_code.used");
  });

  test("S2.12 with a cookie asked for at the password, ends in a cookie", async () => {
    const { secret } = await enabled();
    const { mfa_token } = (await fixture.signIn(ada, { cookie: true })).json;
    const answer = await post("login/totp", { mfa_token, code: codeOf(secret) });
    expect(answer.headers.get("set-cookie")).toStartWith("__Host-bsopt=");
    expect(answer.json.csrf_token).toBeDefined();
  });

  test("S2.12 a password changed in between ends a login that waits", async () => {
    const { secret } = await enabled();
    const { mfa_token } = (await fixture.signIn()).json;
    fixture.advance(second);
    const { id } = (await fixture.identity.findUserByEmail(ada))!;
    await fixture.storage.write((tx) => fixture.identity.endSessions(tx, id, fixture.clock.nowMicroseconds()));
    expect(outcome(await post("login/totp", { mfa_token, code: codeOf(secret) }))).toEqual([401, "MFA_FAILED"]);
  });

  for (const [what, proof, expected] of [
    ["the password", async () => ({ password: adasPassword }), [204, null]],
    ["a code", async (secret: string) => ({ code: codeOf(secret) }), [204, null]],
    ["a recovery code", async (_: string, codes: string[]) => ({ code: codes[2] }), [204, null]],
    ["a wrong password", async () => ({ password: "wrong" }), [403, "REAUTHENTICATION_FAILED"]],
    ["a wrong code", async (secret: string) => ({ code: codeOf(secret, 7) }), [403, "REAUTHENTICATION_FAILED"]],
    ["nothing", async () => ({}), [422, "SCHEMA_INVALID"]],
    ["both", async (secret: string) => ({ code: codeOf(secret), password: "x" }), [422, "SCHEMA_INVALID"]],
  ] as [string, (secret: string, codes: string[]) => Promise<object>, [number, string | null]][]) {
    test(`S2.12 is turned off with ${what}: ${expected[0]}`, async () => {
      const { secret, codes, signedIn } = await enabled();
      const answer = await post("totp/disable", await proof(secret, codes), tokenOf(signedIn));
      expect(outcome(answer)).toEqual(expected);
      expect((await fixture.signIn()).json.mfa_required ?? false).toBe(expected[0] !== 204);
      expect((await events()).includes("auth.totp.disabled")).toBe(expected[0] === 204);
    });
  }

  test("S2.27 guessing codes is told to come back, though the password is right each time", async () => {
    const { secret } = await enabled();
    const wrong = "000000" === codeOf(secret) ? "000001" : "000000";
    const statuses: number[] = [];
    for (let tries = 0; tries < 15; tries++) {
      const { mfa_token } = (await fixture.signIn()).json;
      if (mfa_token === undefined) break;
      statuses.push((await post("login/totp", { mfa_token, code: wrong })).status);
    }
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401));
    expect(statuses.slice(10).every((status) => status === 429)).toBe(true);
  });

  test("the vectors of RFC 6238, appendix B, for SHA-1", () => {
    const secret = Buffer.from("12345678901234567890");
    for (const [seconds, digits] of [
      [59, "94287082"],
      [1_111_111_109, "07081804"],
      [1_111_111_111, "14050471"],
      [1_234_567_890, "89005924"],
      [2_000_000_000, "69279037"],
      [20_000_000_000, "65353130"],
    ] as const) {
      const now = BigInt(seconds) * 1_000_000n;
      expect(totpCode(secret, totpStepOf(now))).toBe(digits.slice(2));
      expect(acceptedStep(secret, digits.slice(2), { now, lastStep: null })).toBe(totpStepOf(now));
    }
  });
});

describe("a token for a key", () => {
  const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString();
  const asForm = { "content-type": "application/x-www-form-urlencoded" };
  async function keyOf(scopes: string[], role: "admin" | "trader" = "admin") {
    const user = await fixture.person({ role });
    const maker = { kind: "operator" } as const;
    const made = await fixture.keys.createKey({
      maker,
      request: { name: "bot", scopes: scopes as never },
      origin: { ipAddress: null, userAgent: null },
      userId: user.id,
    });
    return { id: made.id, text: made.secret!, secret: made.secret!.split("_")[2]!, userId: user.id };
  }
  const ask = (body: unknown, headers: Record<string, string> = {}) =>
    fixture.call("POST", "/api/v1/oauth/token", { body, headers });
  const basic = (id: string, secret: string) => ({ authorization: `Basic ${btoa(`${id}:${secret}`)}` });
  const grant = { grant_type: "client_credentials" };

  const ways: [string, (key: { id: string; text: string; secret: string }) => [unknown, Record<string, string>]][] = [
    ["JSON", ({ id, secret }) => [{ ...grant, client_id: id, client_secret: secret }, {}]],
    ["JSON with the key's whole text", ({ id, text }) => [{ ...grant, client_id: id, client_secret: text }, {}]],
    ["a form", ({ id, secret }) => [form({ ...grant, client_id: id, client_secret: secret }), asForm]],
    ["a form and HTTP Basic", ({ id, secret }) => [form(grant), { ...asForm, ...basic(id, secret) }]],
    ["JSON and HTTP Basic", ({ id, secret }) => [grant, basic(id, secret)]],
  ];
  for (const [how, make] of ways) {
    test(`S3.02 is given for its id and secret by ${how}, and works as the key does`, async () => {
      const key = await keyOf(["pricing:read", "admin"]);
      const [body, headers] = make(key);
      const answer = await ask(body, headers);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("cache-control")).toBe("no-store");
      expect(answer.json).toMatchObject({ token_type: "Bearer", expires_in: 900, scope: "pricing:read admin" });
      expect(Object.keys(answer.json)).toHaveLength(4);
      expect((await fixture.call("GET", "/api/v1/admin/signing-keys", tokenOf(answer))).status).toBe(200);
      expect(outcome(await listSessions(tokenOf(answer)))).toEqual([403, "PERMISSION_MISSING"]);
      expect(await events()).toContain("oauth.token.issued");
    });
  }

  test("S3.02 has the scopes asked for and no others", async () => {
    const key = await keyOf(["pricing:read", "admin"]);
    const answer = await ask({ ...grant, client_id: key.id, client_secret: key.secret, scope: "pricing:read" });
    expect(answer.json.scope).toBe("pricing:read");
    expect(outcome(await fixture.call("GET", "/api/v1/admin/signing-keys", tokenOf(answer)))).toEqual([
      403,
      "PERMISSION_MISSING",
    ]);
  });

  const faults: [
    string,
    (key: { id: string; secret: string; text: string }) => [unknown, Record<string, string>],
    number,
    string,
  ][] = [
    [
      "a wrong secret",
      ({ id }) => [{ ...grant, client_id: id, client_secret: "x".repeat(43) }, {}],
      401,
      "invalid_client",
    ],
    [
      "an unknown id",
      ({ secret }) => [{ ...grant, client_id: "AAAAAAAAAAAA", client_secret: secret }, {}],
      401,
      "invalid_client",
    ],
    ["no secret", ({ id }) => [{ ...grant, client_id: id }, {}], 401, "invalid_client"],
    ["nothing at all", () => [grant, {}], 401, "invalid_client"],
    ["an unreadable Basic header", () => [grant, { authorization: "Basic %%%" }], 401, "invalid_client"],
    ["a Bearer header and nothing else", () => [grant, { authorization: "Bearer abc" }], 401, "invalid_client"],
    [
      "Basic and a secret in the body",
      ({ id, secret }) => [{ ...grant, client_secret: secret }, basic(id, secret)],
      422,
      "invalid_request",
    ],
    [
      "Basic and another id in the body",
      ({ id, secret }) => [{ ...grant, client_id: "AAAAAAAAAAAA" }, basic(id, secret)],
      422,
      "invalid_request",
    ],
    [
      "another key's text for a secret",
      ({ id, text }) => [{ ...grant, client_id: id, client_secret: text.replace(id, "AAAAAAAAAAAA") }, {}],
      401,
      "invalid_client",
    ],
    [
      "the grant password",
      ({ id, secret }) => [{ grant_type: "password", client_id: id, client_secret: secret }, {}],
      422,
      "unsupported_grant_type",
    ],
    [
      "a scope that the key has not",
      ({ id, secret }) => [{ ...grant, client_id: id, client_secret: secret, scope: "pricing:read admin" }, {}],
      422,
      "invalid_scope",
    ],
    [
      "a scope that there is not",
      ({ id, secret }) => [{ ...grant, client_id: id, client_secret: secret, scope: "root" }, {}],
      422,
      "invalid_scope",
    ],
    [
      "an empty scope",
      ({ id, secret }) => [{ ...grant, client_id: id, client_secret: secret, scope: "" }, {}],
      422,
      "invalid_scope",
    ],
  ];
  for (const [what, make, status, error] of faults) {
    test(`S3.02 is not given for ${what}: ${status} ${error}`, async () => {
      const key = await keyOf(["pricing:read"]);
      const [body, headers] = make(key);
      const answer = await ask(body, headers);
      expect([answer.status, answer.json.error, answer.json.detail]).toEqual([status, error, error]);
      expect(answer.json.code).toBe(error.toUpperCase());
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(answer.text).not.toContain(key.secret);
    });
  }

  const forms: [string, string, Record<string, string>, number, string][] = [
    ["a field twice", "grant_type=client_credentials&grant_type=password", asForm, 400, "BODY_MALFORMED"],
    ["an unknown field", "grant_type=client_credentials&admin=1", asForm, 422, "SCHEMA_INVALID"],
    ["a field named __proto__", "grant_type=client_credentials&__proto__=1", asForm, 400, "BODY_KEY_REFUSED"],
    ["broken encoding", "grant_type=%zz", asForm, 400, "BODY_MALFORMED"],
    ["forty fields", Array.from({ length: 40 }, (_, index) => `f${index}=1`).join("&"), asForm, 400, "BODY_MALFORMED"],
    ["no grant_type", "scope=admin", asForm, 422, "SCHEMA_INVALID"],
    [
      "another charset",
      "grant_type=x",
      { "content-type": "application/x-www-form-urlencoded; charset=utf-16" },
      415,
      "CONTENT_TYPE_UNSUPPORTED",
    ],
    ["text for a type", "grant_type=x", { "content-type": "text/plain" }, 415, "CONTENT_TYPE_UNSUPPORTED"],
  ];
  for (const [what, body, headers, status, code] of forms) {
    test(`S2.14 a form with ${what} answers ${status} ${code}`, async () => {
      expect(outcome(await ask(body, headers))).toEqual([status, code]);
    });
  }

  test("S2.14 no other route takes a form", async () => {
    const answer = await fixture.call("POST", "/api/v1/auth/login", {
      body: form({ email: ada, password: "x" }),
      headers: asForm,
    });
    expect(outcome(answer)).toEqual([415, "CONTENT_TYPE_UNSUPPORTED"]);
  });

  test("S3.02 dies with its key, here at once", async () => {
    const key = await keyOf([...permissions]);
    const answer = await ask({ ...grant, client_id: key.id, client_secret: key.secret });
    const use = () => fixture.call("GET", "/api/v1/admin/signing-keys", tokenOf(answer));
    expect((await use()).status).toBe(200);
    await fixture.keys.revokeKey({ by: { kind: "operator" }, id: key.id });
    expect((await use()).status).toBe(401);
  });
});

describe("the public keys", () => {
  test("S3.02 are there for everybody, may be kept for five minutes, and hold nothing private", async () => {
    const answer = await fixture.call("GET", "/.well-known/jwks.json");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("public, max-age=300");
    expect(Object.keys(answer.json.keys[0]).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x"]);
  });

  test("S3.02 rotating them logs nobody out, and rotating at once makes everybody refresh", async () => {
    await fixture.person({ role: "admin" });
    const signedIn = await fixture.signIn();
    const rotate = (body: object, answer = signedIn) =>
      fixture.call("POST", "/api/v1/admin/signing-keys", { body, ...tokenOf(answer) });
    const rotated = await rotate({});
    expect(rotated.status).toBe(201);
    expect(rotated.json.data).toHaveLength(2);
    expect((await listSessions(tokenOf(signedIn))).status).toBe(200);
    fixture.advance(5 * minute);
    const young = await refresh(signedIn.json.refresh_token);
    expect((await listSessions(tokenOf(young))).status).toBe(200);
    expect((await listSessions(tokenOf(signedIn))).status).toBe(200);
    expect((await rotate({ at_once: true }, young)).status).toBe(201);
    for (const old of [signedIn, young])
      expect(outcome(await listSessions(tokenOf(old)))).toEqual([401, "TOKEN_INVALID"]);
    const again = await refresh(young.json.refresh_token);
    expect((await listSessions(tokenOf(again))).status).toBe(200);
  });
});
