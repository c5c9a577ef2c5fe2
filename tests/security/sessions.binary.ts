// Attacks on sessions, against the executable: fixed, stolen, ridden by another page, used after they should be over, or without the
// second factor.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type BySessionCookie, type Person, SecuredServer } from "../harness/secured-server";
import { totpOf } from "../harness/totp";

const guarded = "/api/v1/pricing/models";
const me = "/api/v1/auth/me";

let server: SecuredServer;
beforeAll(async () => {
  server = await SecuredServer.start();
});
afterAll(() => server.close());

/** Asks until the answer is that number, for five seconds at most; the last number. */
async function soon(status: number, ask: () => Promise<number>): Promise<number> {
  const deadline = performance.now() + 5000;
  let seen = await ask();
  while (seen !== status && performance.now() < deadline) seen = await ask();
  return seen;
}

const asks = async (credentials: { bearer?: string; key?: string; headers?: Record<string, string> }, path = guarded) =>
  (await server.call("GET", path, credentials)).status;

describe("a session cookie", () => {
  let person: Person;
  let session: BySessionCookie;
  let origin: string;
  beforeAll(async () => {
    person = await server.person("trader");
    session = await server.signInByCookie(person);
    origin = server.url;
  });

  const name = "__Host-bsopt";
  const withCookie = (more: Record<string, string> = {}) => ({ cookie: `${name}=${session.cookie}`, ...more });
  /** A request by cookie that changes something. */
  const rename = async (headers: Record<string, string>) =>
    (await server.call("PATCH", me, { headers: { ...withCookie(), ...headers }, body: { name: "renamed" } })).status;
  const nameNow = async () => (await server.call("GET", me, { headers: withCookie() })).json.name;

  test("S4.54 session: is for this host alone, over https, out of reach of scripts and of other sites' pages", () => {
    expect(session.setCookie).toMatch(/^__Host-bsopt=[A-Za-z0-9_-]{43}; /);
    const attributes = session.setCookie.split("; ").slice(1);
    expect(attributes).toEqual(expect.arrayContaining(["Path=/", "Secure", "HttpOnly", "SameSite=Strict"]));
    expect(session.setCookie).not.toMatch(/domain=/i);
  });

  test("S4.54 session fixation: a value that was set before signing in is not taken over, and opens nothing", async () => {
    const fixed = "F".repeat(43);
    const answer = await server.call("POST", "/api/v1/auth/login", {
      body: { email: person.email, password: person.password, cookie: true },
      headers: { ...server.stranger(), cookie: `${name}=${fixed}; session_id=${fixed}` },
    });
    expect(answer.status).toBe(200);
    const set = answer.headers.get("set-cookie")!;
    server.keep("the cookie of who came with one", /=([^;]+)/.exec(set)![1]!);
    server.keep("the CSRF token of who came with one", answer.json.csrf_token);
    expect(set).not.toContain(fixed);
    expect(await asks({ headers: { cookie: `${name}=${fixed}` } })).toBe(401);
  });

  test("S4.54 session fixation: every sign-in makes another session, though it is the same person's", async () => {
    const again = await server.signInByCookie(person);
    expect(again.cookie).not.toBe(session.cookie);
    expect(again.csrfToken).not.toBe(session.csrfToken);
  });

  test("S4.54 session fixation: no address, body or other header carries a session", async () => {
    for (const [path, headers] of [
      [`${guarded}?${name}=${session.cookie}&session=${session.cookie}`, {}],
      [guarded, { "x-session-id": session.cookie }],
      [guarded, { authorization: `Bearer ${session.cookie}` }],
      [guarded, { "x-api-key": session.cookie }],
      [guarded, { cookie: `bsopt=${session.cookie}` }],
      [guarded, { cookie: `__host-bsopt=${session.cookie}` }],
      [guarded, { cookie: `x${name}=${session.cookie}` }],
    ] as const) {
      expect([path, await asks({ headers }, path)]).toEqual([path, 401]);
    }
  });

  test("S4.54 session fixation: two cookies of the name, as a sister host could plant one, are none", async () => {
    const planted = "P".repeat(43);
    for (const cookie of [
      `${name}=${planted}; ${name}=${session.cookie}`,
      `${name}=${session.cookie}; ${name}=${planted}`,
    ]) {
      expect(await asks({ headers: { cookie } })).toBe(401);
    }
  });

  test("S4.54 CSRF: reading needs no token, and what reads changes nothing", async () => {
    expect(await asks({ headers: withCookie() })).toBe(200);
    for (const path of ["/api/v1/auth/logout", "/api/v1/auth/password", "/api/v1/auth/login"]) {
      expect([path, await asks({ headers: withCookie() }, path)]).toEqual([path, 405]);
    }
    expect(await asks({ headers: withCookie() })).toBe(200);
  });

  test("S4.54 CSRF: a page of this very host with the session's token is let in", async () => {
    const before = await nameNow();
    expect(await rename({ origin, "sec-fetch-site": "same-origin", "x-csrf-token": session.csrfToken })).toBe(200);
    expect(await nameNow()).not.toBe(before);
    expect(await rename({ origin, "x-csrf-token": session.csrfToken })).toBe(200);
  });

  const refused: readonly [name: string, headers: () => Record<string, string> | Promise<Record<string, string>>][] = [
    ["without a token", () => ({ origin })],
    ["with an empty token", () => ({ origin, "x-csrf-token": "" })],
    ["with a made-up token", () => ({ origin, "x-csrf-token": "A".repeat(43) })],
    ["with the cookie for a token", () => ({ origin, "x-csrf-token": session.cookie })],
    [
      "with another person's token",
      async () => ({ origin, "x-csrf-token": (await server.signInByCookie(await server.person("viewer"))).csrfToken }),
    ],
    [
      "with the token of another session of the same person",
      async () => ({ origin, "x-csrf-token": (await server.signInByCookie(person)).csrfToken }),
    ],
    [
      "with the token in the address's place",
      () => ({ origin, cookie: `__Host-bsopt=${session.cookie}; csrf_token=${session.csrfToken}` }),
    ],
    ["from a foreign origin", () => ({ origin: "https://evil.example", "x-csrf-token": session.csrfToken })],
    [
      "from an origin that begins like ours",
      () => ({ origin: `${origin}.evil.example`, "x-csrf-token": session.csrfToken }),
    ],
    [
      "from an origin that ends like ours",
      () => ({ origin: `https://evil-${new URL(origin).host}`, "x-csrf-token": session.csrfToken }),
    ],
    [
      "from an origin with ours as a user's name",
      () => ({ origin: `https://${new URL(origin).host}@evil.example`, "x-csrf-token": session.csrfToken }),
    ],
    ["from another port of this host", () => ({ origin: "http://127.0.0.1:1", "x-csrf-token": session.csrfToken })],
    ["from no origin at all", () => ({ "x-csrf-token": session.csrfToken })],
    ["from the origin null", () => ({ origin: "null", "x-csrf-token": session.csrfToken })],
    [
      "from another site by the browser's word",
      () => ({ origin, "sec-fetch-site": "cross-site", "x-csrf-token": session.csrfToken }),
    ],
    [
      "from a sister host by the browser's word",
      () => ({ origin, "sec-fetch-site": "same-site", "x-csrf-token": session.csrfToken }),
    ],
    [
      "from an address bar by the browser's word",
      () => ({ "sec-fetch-site": "none", "x-csrf-token": session.csrfToken }),
    ],
    ["with ours as Referer only", () => ({ referer: `${origin}/docs`, "x-csrf-token": session.csrfToken })],
    [
      "under a method's other name",
      () => ({ origin: "https://evil.example", "x-http-method-override": "GET", "x-csrf-token": session.csrfToken }),
    ],
  ];
  test.each(refused)("S4.54 CSRF: a change %s is refused and not made", async (_name, headers) => {
    const before = (await server.call("GET", me, { headers: withCookie() })).json.updated_at;
    expect([401, 403]).toContain(await rename(await headers()));
    expect((await server.call("GET", me, { headers: withCookie() })).json.updated_at).toBe(before);
  });

  test("S4.54 CSRF: nobody can be signed in to a stranger's account by a form", async () => {
    const body = `{"email":"${person.email}","password":"${person.password}","cookie":true}`;
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
      const answer = await server.call("POST", "/api/v1/auth/login", {
        body,
        headers: { "content-type": type, origin: "https://evil.example", ...server.stranger() },
      });
      expect([type, answer.status, answer.headers.get("set-cookie")]).toEqual([type, 415, null]);
    }
  });

  test("S4.54 CSRF: the token of a session that was left opens nothing, nor does its cookie, and the browser is told to forget it", async () => {
    const left = await server.signInByCookie(person);
    const headers = { cookie: `${name}=${left.cookie}`, origin, "x-csrf-token": left.csrfToken };
    const answer = await server.call("POST", "/api/v1/auth/logout", { headers });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("set-cookie")).toMatch(/^__Host-bsopt=; .*Max-Age=0/);
    expect(await asks({ headers })).toBe(401);
    expect(await rename({ origin, "x-csrf-token": left.csrfToken })).toBe(403);
  });

  test("S4.54 S2.17 a page of an allowed origin still cannot ride a cookie: credentials are never allowed across origins", async () => {
    const answer = await server.call("OPTIONS", me, {
      headers: { origin: "https://desk.example", "access-control-request-method": "PATCH" },
    });
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
  });
});

describe("a session that is over", () => {
  test("S2.12 S1.03 logging out ends access token, refresh token and session at once", async () => {
    const person = await server.person("viewer");
    const { accessToken, refreshToken } = await server.signIn(person);
    const other = await server.signIn(person);
    expect((await server.call("POST", "/api/v1/auth/logout", { bearer: accessToken })).status).toBe(204);
    expect(await asks({ bearer: accessToken })).toBe(401);
    const refreshed = await server.call("POST", "/api/v1/auth/refresh", { body: { refresh_token: refreshToken } });
    expect(refreshed.status).toBe(401);
    expect(await asks({ bearer: other.accessToken })).toBe(200);
  });

  test("S2.12 changing the password ends every other session, and the old password opens nothing", async () => {
    const person = await server.person("viewer");
    const [one, two, browser] = [
      await server.signIn(person),
      await server.signIn(person),
      await server.signInByCookie(person),
    ];
    const password = server.keep("a changed password", "canary changed heron-lantern");
    const changed = await server.call("POST", "/api/v1/auth/password", {
      bearer: one.accessToken,
      body: { current_password: person.password, new_password: password },
    });
    expect(changed.status).toBeLessThan(300);
    expect(await asks({ bearer: two.accessToken })).toBe(401);
    expect(await asks({ headers: { cookie: `__Host-bsopt=${browser.cookie}` } })).toBe(401);
    const refreshed = await server.call("POST", "/api/v1/auth/refresh", { body: { refresh_token: two.refreshToken } });
    expect(refreshed.status).toBe(401);
    const old = await server.call("POST", "/api/v1/auth/login", {
      body: { email: person.email, password: person.password },
      headers: server.stranger(),
    });
    expect(old.status).toBe(401);
    expect(await asks({ bearer: (await server.signIn({ email: person.email, password })).accessToken })).toBe(200);
  });

  test("S2.12 S4.54 a sign-in with the old password that was under way while it changed opens nothing afterwards", async () => {
    const person = await server.person("viewer");
    const signIn = (headers: Record<string, string>) =>
      server.call("POST", "/api/v1/auth/login", { body: { email: person.email, password: person.password }, headers });
    // Addresses that the owner is known from have limits of their own: so there is a crowd to send.
    const known = Array.from({ length: 6 }, () => server.stranger());
    let bearer = "";
    for (const headers of known) bearer = (await signIn(headers)).json.access_token;
    const password = server.keep("a password changed in a race", "canary raced heron-lantern");
    let isChanged = false;
    const changing = server
      .call("POST", "/api/v1/auth/password", {
        bearer,
        body: { current_password: person.password, new_password: password },
      })
      .finally(() => {
        isChanged = true;
      });
    const crowd: ReturnType<typeof signIn>[] = [];
    while (!isChanged && crowd.length < 50) {
      crowd.push(signIn(known[crowd.length % known.length]!));
      await server.call("GET", "/health");
    }
    expect((await changing).status).toBeLessThan(300);
    const survivors: string[] = [];
    for (const { status, json } of await Promise.all(crowd)) {
      if (status !== 200) continue;
      server.keep("a token of a race", json.access_token);
      server.keep("a refresh token of a race", json.refresh_token);
      if ((await asks({ bearer: json.access_token })) !== 401) survivors.push("access token");
      const refreshed = await server.call("POST", "/api/v1/auth/refresh", {
        body: { refresh_token: json.refresh_token },
      });
      if (refreshed.status !== 401) survivors.push("refresh token");
    }
    expect(crowd.length).toBeGreaterThan(3);
    expect(survivors).toEqual([]);
  });

  test("S2.13 a key that was revoked is dead at once here, and within five seconds in a second process", async () => {
    const beside = await server.beside();
    try {
      const made = await server.call("POST", "/api/v1/api-keys", {
        key: "admin",
        body: { name: "short-lived", scopes: ["pricing:read"] },
      });
      const key = server.keep("a key to be revoked", made.json.secret);
      const there = async () => (await fetch(beside.url + guarded, { headers: { "x-api-key": key } })).status;
      expect(await asks({ key })).toBe(200);
      expect(await there()).toBe(200);
      expect((await server.call("DELETE", `/api/v1/api-keys/${made.json.id}`, { key: "admin" })).status).toBe(204);
      expect(await asks({ key })).toBe(401);
      expect(await soon(401, there)).toBe(401);
    } finally {
      await beside.stop();
    }
  });

  test("S2.13 S3.02 somebody disabled is out with token, refresh token, cookie and key, at once here and within five seconds elsewhere", async () => {
    const beside = await server.beside();
    try {
      const person = await server.person("trader");
      const { accessToken, refreshToken } = await server.signIn(person);
      const browser = await server.signInByCookie(person);
      const made = await server.call("POST", "/api/v1/api-keys", {
        bearer: accessToken,
        body: { name: "theirs", scopes: ["pricing:read"] },
      });
      const key = server.keep("the key of somebody disabled", made.json.secret);
      const ways: Record<string, Record<string, string>> = {
        token: { authorization: `Bearer ${accessToken}` },
        cookie: { cookie: `__Host-bsopt=${browser.cookie}` },
        key: { "x-api-key": key },
      };
      const there = async (headers: Record<string, string>) => (await fetch(beside.url + guarded, { headers })).status;
      for (const [way, headers] of Object.entries(ways)) {
        expect([way, await asks({ headers }), await there(headers)]).toEqual([way, 200, 200]);
      }
      const disabled = await server.call("PATCH", `/api/v1/admin/users/${person.id}`, {
        key: "admin",
        body: { disabled: true },
      });
      expect(disabled.status).toBe(200);
      for (const [way, headers] of Object.entries(ways)) {
        expect([way, await asks({ headers })]).toEqual([way, 401]);
        expect([way, await soon(401, () => there(headers))]).toEqual([way, 401]);
      }
      const refreshed = await server.call("POST", "/api/v1/auth/refresh", { body: { refresh_token: refreshToken } });
      expect(refreshed.status).toBe(401);
      const again = await server.call("POST", "/api/v1/auth/login", {
        body: { email: person.email, password: person.password },
        headers: server.stranger(),
      });
      expect(again.status).toBe(401);
    } finally {
      await beside.stop();
    }
  });

  test("S2.12 somebody logged out in one process is out in the other within five seconds", async () => {
    const beside = await server.beside();
    try {
      const { accessToken } = await server.signIn(await server.person("viewer"));
      const there = async () =>
        (await fetch(beside.url + guarded, { headers: { authorization: `Bearer ${accessToken}` } })).status;
      expect(await there()).toBe(200);
      expect((await server.call("POST", "/api/v1/auth/logout", { bearer: accessToken })).status).toBe(204);
      expect(await soon(401, there)).toBe(401);
    } finally {
      await beside.stop();
    }
  });

  test("S2.12 S4.54 of many showings of one refresh token one gets the successor, and the others nothing", async () => {
    const { refreshToken } = await server.signIn(await server.person("viewer"));
    const show = () => server.call("POST", "/api/v1/auth/refresh", { body: { refresh_token: refreshToken } });
    const answers = await Promise.all(Array.from({ length: 30 }, show));
    const good = answers.filter(({ status }) => status === 200);
    expect(good).toHaveLength(1);
    server.keep("a successor", good[0]!.json.refresh_token);
    expect(answers.filter(({ status, json }) => status !== 200 && json.code !== "REFRESH_RACED")).toEqual([]);
  });
});

describe("a session that was stolen", () => {
  /** Somebody whose session is older than what asks for a recent sign-in takes, as the database has it. */
  async function aged(): Promise<{ person: Person; accessToken: string }> {
    const person = await server.person("trader");
    const { accessToken } = await server.signIn(person);
    const database = server.database();
    try {
      // The server may be writing.
      await database.execute("PRAGMA busy_timeout = 5000");
      await database.execute({
        sql: "UPDATE login_sessions SET created_at = created_at - 301000000 WHERE user_id = ?",
        args: [person.id],
      });
    } finally {
      database.close();
    }
    return { person, accessToken };
  }
  const body = { name: "for later", scopes: ["pricing:read"] };

  test.each([
    ["make a key that outlives it", "POST", "/api/v1/api-keys", body],
    ["begin a second factor", "POST", "/api/v1/auth/totp/setup", undefined],
    ["erase its owner", "DELETE", "/api/v1/auth/me", undefined],
  ])(
    "S2.12 S4.54 auth bypass: cannot %s without the password, whatever it tries",
    async (_name, method, path, sent) => {
      const { person, accessToken: bearer } = await aged();
      const refused = async () => {
        const answer = await server.call(method, path, { bearer, ...(sent && { body: sent }) });
        return [answer.status, answer.json?.code];
      };
      expect(await refused()).toEqual([403, "REAUTHENTICATION_NEEDED"]);
      for (const proof of [{ password: "wrong walrus kettle" }, { code: "000000" }, { password: "" }, { code: "" }]) {
        const answer = await server.call("POST", "/api/v1/auth/reauthenticate", { bearer, body: proof });
        expect([403, 422]).toContain(answer.status);
      }
      // Nor does a header help, nor what another's session has shown.
      const other = await server.signIn(await server.person("admin"));
      expect(
        (
          await server.call("POST", "/api/v1/auth/reauthenticate", {
            bearer: other.accessToken,
            body: { password: person.password },
          })
        ).status,
      ).toBe(403);
      expect(await refused()).toEqual([403, "REAUTHENTICATION_NEEDED"]);
      const shown = await server.call("POST", "/api/v1/auth/reauthenticate", {
        bearer,
        body: { password: person.password },
      });
      expect(shown.status).toBe(204);
      const done = await server.call(method, path, { bearer, ...(sent && { body: sent }) });
      expect([200, 201, 204]).toContain(done.status);
      if (done.json?.secret) server.keep("what was made at last", done.json.secret);
    },
  );
});

describe("two processes on one database", () => {
  test("S2.12 S4.54 of fifty showings of one refresh token to both one gets the successor, and only that one goes on", async () => {
    const beside = await server.beside();
    try {
      for (let round = 0; round < 3; round++) {
        const { refreshToken } = await server.signIn(await server.person("viewer"));
        const once = (url: string, token: string) =>
          fetch(`${url}/api/v1/auth/refresh`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ refresh_token: token }),
          }).then(async (answer) => ({ status: answer.status, json: (await answer.json()) as Record<string, string> }));
        // A server that has too much to do says so before it looks at the token: then it is asked again.
        const shown = async (url: string, token: string, triesLeft = 100): ReturnType<typeof once> => {
          const answer = await once(url, token);
          return answer.status === 503 && triesLeft > 0 ? shown(url, token, triesLeft - 1) : answer;
        };
        const answers = await Promise.all(
          Array.from({ length: 50 }, (_, index) => shown(index % 2 === 0 ? server.url : beside.url, refreshToken)),
        );
        const good = answers.filter(({ status }) => status === 200);
        expect(good).toHaveLength(1);
        expect(answers.filter(({ status, json }) => status !== 200 && json.code !== "REFRESH_RACED")).toEqual([]);
        const successor = server.keep("a successor", good[0]!.json.refresh_token!);
        const next = await shown(beside.url, successor);
        expect(next.status).toBe(200);
        server.keep("its successor", next.json.refresh_token!);
      }
    } finally {
      await beside.stop();
    }
  });

  test("S1.01 a hundred registrations of one address to both make one account, which its one mail confirms", async () => {
    const beside = await server.beside();
    const email = server.keep("an address registered at once", "at-once@canary-mail.example");
    const password = server.keep("its password", "canary at once mule-turbine-oak");
    try {
      const statuses = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          fetch(`${index % 2 === 0 ? server.url : beside.url}/api/v1/auth/register`, {
            method: "POST",
            headers: { "content-type": "application/json", ...server.stranger() },
            body: JSON.stringify({ email, password }),
          }).then(({ status }) => status),
        ),
      );
      // What found no place among the slow hashes was told to come back.
      expect(statuses.filter((status) => status !== 202 && status !== 503)).toEqual([]);
      expect(statuses.filter((status) => status === 202).length).toBeGreaterThan(20);
      const found = await server.call("GET", `/api/v1/admin/users?email=${encodeURIComponent(email)}`, {
        key: "admin",
      });
      expect(found.json.data).toHaveLength(1);
    } finally {
      await beside.stop();
    }
  });
});

describe("the second factor", () => {
  interface Factored {
    readonly secret: string;
    readonly recoveryCodes: readonly string[];
    /** The password is right and the second factor awaited. */
    challenge(): Promise<string>;
  }

  /** Somebody new with a second factor. */
  async function factored(): Promise<Factored> {
    const person = await server.person("trader");
    const { accessToken } = await server.signIn(person);
    const setup = await server.call("POST", "/api/v1/auth/totp/setup", { bearer: accessToken });
    const secret = server.keep("a TOTP secret", setup.json.secret);
    const confirmed = await server.call("POST", "/api/v1/auth/totp/confirm", {
      bearer: accessToken,
      body: { code: totpOf(secret, Date.now()) },
    });
    expect(confirmed.status).toBe(200);
    const recoveryCodes: string[] = confirmed.json.recovery_codes;
    for (const code of recoveryCodes) server.keep("a recovery code", code);
    return {
      secret,
      recoveryCodes,
      async challenge() {
        const answer = await server.call("POST", "/api/v1/auth/login", {
          body: { email: person.email, password: person.password },
          headers: server.stranger(),
        });
        expect(Object.keys(answer.json).sort()).toEqual(["mfa_required", "mfa_token"]);
        expect(answer.headers.get("set-cookie")).toBeNull();
        return server.keep("an mfa token", answer.json.mfa_token);
      },
    };
  }

  const second = (mfaToken: string, code: string) =>
    server.call("POST", "/api/v1/auth/login/totp", { body: { mfa_token: mfaToken, code }, headers: server.stranger() });

  test("S2.12 signs in with the code of the next moment, and that code works once", async () => {
    const { secret, challenge } = await factored();
    const code = totpOf(secret, Date.now() + 30_000);
    const [one, two] = [await challenge(), await challenge()];
    const answer = await second(one, code);
    expect(answer.status).toBe(200);
    server.keep("a token behind a second factor", answer.json.access_token);
    expect((await second(one, code)).status).toBe(401);
    expect((await second(two, code)).status).toBe(401);
  });

  test("S4.54 auth bypass: the token between the factors opens nothing by itself", async () => {
    const token = await (await factored()).challenge();
    expect(await asks({ bearer: token })).toBe(401);
    expect(await asks({ key: token })).toBe(401);
    expect(await asks({ headers: { cookie: `__Host-bsopt=${token}` } })).toBe(401);
    const refreshed = await server.call("POST", "/api/v1/auth/refresh", { body: { refresh_token: token } });
    expect(refreshed.status).toBe(401);
  });

  test("S4.54 auth bypass: five wrong codes end the challenge, and the right one comes too late", async () => {
    const { secret, challenge } = await factored();
    const token = await challenge();
    const right = totpOf(secret, Date.now() + 30_000);
    for (let count = 0; count < 5; count++) expect((await second(token, wrongCode(right))).status).toBe(401);
    expect((await second(token, right)).status).toBe(401);
    // The code itself was good: another challenge takes it.
    const answer = await second(await challenge(), right);
    expect(answer.status).toBe(200);
    server.keep("a token after five wrong codes", answer.json.access_token);
  });

  test("S4.54 auth bypass: guessing on through one challenge after another is stopped, with when to come back", async () => {
    const { challenge } = await factored();
    const statuses: number[] = [];
    for (let round = 0; round < 4; round++) {
      const token = await challenge();
      for (let count = 0; count < 4; count++) statuses.push((await second(token, "000000")).status);
    }
    expect(statuses).toContain(429);
    expect(statuses.at(-1)).toBe(429);
  });

  test("S4.54 auth bypass: codes of other times, spellings and kinds are wrong codes", async () => {
    const { secret, challenge } = await factored();
    const now = Date.now();
    const token = await challenge();
    for (const code of [totpOf(secret, now - 120_000), totpOf(secret, now + 120_000), "abcdef"]) {
      expect([code, (await second(token, code)).status]).toEqual([code, 401]);
    }
    for (const code of [undefined, null, 0, [""], true, "", "      1", "１２３４５６", "0".repeat(100)]) {
      const body = { mfa_token: token, ...(code !== undefined && { code }) };
      const answer = await server.call("POST", "/api/v1/auth/login/totp", { body, headers: server.stranger() });
      expect([code, answer.status === 422 || answer.status === 401]).toEqual([code, true]);
    }
  });

  test("S4.54 auth bypass: a recovery code shown many times at once signs in once", async () => {
    const { recoveryCodes, challenge } = await factored();
    const tokens = [await challenge(), await challenge()];
    const shown = tokens.flatMap((token) => [1, 2, 3, 4].map(() => second(token, recoveryCodes[0]!)));
    const good = (await Promise.all(shown)).filter(({ status }) => status === 200);
    expect(good).toHaveLength(1);
    server.keep("the token of a recovery", good[0]!.json.access_token);
    server.keep("the refresh token of a recovery", good[0]!.json.refresh_token);
  });

  test("S4.54 auth bypass: another person's challenge takes no code of one's own", async () => {
    const attacker = await factored();
    const token = await (await factored()).challenge();
    expect((await second(token, totpOf(attacker.secret, Date.now() + 30_000))).status).toBe(401);
    expect((await second(token, attacker.recoveryCodes[0]!)).status).toBe(401);
  });

  test("S4.54 auth bypass: setting up anew or turning off takes more than a session", async () => {
    const { recoveryCodes, challenge } = await factored();
    const signedIn = await second(await challenge(), recoveryCodes[0]!);
    const bearer = server.keep("a token after recovery", signedIn.json.access_token);
    server.keep("a refresh token after recovery", signedIn.json.refresh_token);
    expect((await server.call("POST", "/api/v1/auth/totp/setup", { bearer })).status).toBe(409);
    for (const body of [{ password: "not the password" }, { code: "000000" }, { code: recoveryCodes[0] }]) {
      const answer = await server.call("POST", "/api/v1/auth/totp/disable", {
        bearer,
        body,
        headers: server.stranger(),
      });
      expect(answer.status).toBe(403);
    }
    await challenge();
  });

  function wrongCode(right: string): string {
    return right === "000000" ? "000001" : "000000";
  }
});
