// Two servers, each with a data folder of its own, on one libSQL server: what one does holds in the other. And what clients get while the
// database server is killed or frozen.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync } from "node:fs";
import { Installation, readJson, type Serving } from "../harness/executable";
import { hasSqld, SqldServer } from "../harness/sqld";
import { until } from "../harness/storage";

describe.skipIf(!hasSqld)("two servers on one database server", () => {
  const first = new Installation();
  const second = new Installation();
  let database: SqldServer;
  let environment: Record<string, string>;
  let one: Serving;
  let two: Serving;
  let admin: string;

  const call = (serving: Serving, method: string, path: string, key: string, body?: unknown, headers = {}) =>
    fetch(serving.url + path, {
      method,
      headers: { "x-api-key": key, "content-type": "application/json", ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    });

  const makeKey = (serving: Serving, name: string, headers = {}) =>
    call(serving, "POST", "/api/v1/api-keys", admin, { name, scopes: ["pricing:read"] }, headers);

  const readiness = async (serving: Serving) => {
    const answer = await fetch(`${serving.url}/readiness`);
    return { status: answer.status, body: await readJson(answer) };
  };

  beforeAll(async () => {
    database = await SqldServer.start();
    environment = {
      BSOPT_DATABASE_URL: database.url,
      BSOPT_DATABASE_ADMIN_URL: database.adminUrl,
      BSOPT_DRAIN_MS: "0",
    };
    one = await first.serve({ environment });
    admin = one.key();
    // The master key is the one thing that machines share beside the database.
    mkdirSync(second.path("bsopt-data"), { mode: 0o700 });
    copyFileSync(first.path("bsopt-data", "master-key"), second.path("bsopt-data", "master-key"));
    two = await second.serve({ environment });
  });

  afterAll(async () => {
    first.remove();
    second.remove();
    await database.remove();
  });

  test("S1.15 a key made in one works in the other, and revoked in one it dies in the other within 5 seconds", async () => {
    const made = await readJson(await makeKey(one, "shared"));
    const price = () =>
      call(two, "POST", "/api/v1/pricing/price", made.secret, {
        model: "black_scholes_merton",
        option_type: "call",
        spot: 100,
        strike: 105,
        time_to_expiry: 0.5,
        rate: 0.03,
        volatility: 0.2,
      });
    expect((await price()).status).toBe(200);
    expect((await call(one, "DELETE", `/api/v1/api-keys/${made.id}`, admin)).ok).toBe(true);
    await until("the other refuses the key", async () => (await price()).status === 401, 5000);
  });

  test("who signed in at one is known at the other, gets a new token there, and signed out there is out here within 5 seconds", async () => {
    const password = "mule turbine oak 27";
    const email = "somebody@several.example";
    const made = await first.run(
      ["user", "create", "--email", email, "--role", "trader", "--verified", "--password-stdin"],
      {
        stdin: `${password}\n`,
        environment,
      },
    );
    expect(made).toMatchObject({ code: 0 });
    const post = (serving: Serving, path: string, body: unknown, token?: string) =>
      fetch(`${serving.url}/api/v1/auth/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
        body: JSON.stringify(body),
      });
    const me = async (serving: Serving, token: string) =>
      (await fetch(`${serving.url}/api/v1/auth/me`, { headers: { authorization: `Bearer ${token}` } })).status;
    const signedIn = await readJson(await post(one, "login", { email, password }));
    expect(await me(two, signedIn.access_token)).toBe(200);
    const renewed = await readJson(await post(two, "refresh", { refresh_token: signedIn.refresh_token }));
    expect(await me(one, renewed.access_token)).toBe(200);
    expect((await post(two, "logout", {}, renewed.access_token)).ok).toBe(true);
    await until("the other refuses the token", async () => (await me(one, renewed.access_token)) === 401, 5000);
  });

  test("a server with another master key does not start, and says why", async () => {
    const stranger = new Installation();
    try {
      const failure = await stranger.serve({ environment }).then(
        () => "it started",
        (error: Error) => error.message,
      );
      expect(failure).toContain("The file master-key in the data folder is not the one the database was written with");
    } finally {
      stranger.remove();
    }
  });

  test("a request repeated at the other under its Idempotency-Key gets the first one's answer, and makes nothing twice", async () => {
    const headers = { "idempotency-key": "from-one-to-two" };
    const made = await readJson(await makeKey(one, "once", headers));
    const again = await readJson(await makeKey(two, "once", headers));
    expect(again.id).toBe(made.id);
  });

  test("of twenty requests under one Idempotency-Key, ten at each, one makes the key", async () => {
    const headers = { "idempotency-key": "at-both-at-once" };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => makeKey(index % 2 === 0 ? one : two, "raced", headers)),
    );
    const bodies = await Promise.all(answers.map(readJson));
    const ids = new Set(bodies.flatMap((body, index) => (answers[index]!.ok ? [body.id] : [])));
    expect(ids.size).toBe(1);
    expect(answers.filter(({ status }) => ![200, 201, 409].includes(status))).toEqual([]);
  });

  test("writing at once, the two leave one audit chain that verifies", async () => {
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const made = await makeKey(index % 2 === 0 ? one : two, `chained ${index}`);
        expect(made.ok).toBe(true);
      }),
    );
    const verified = await second.run(["verify", "audit"], { environment });
    expect(verified).toMatchObject({ code: 0 });
  });

  test("S5.19 the database server frozen, readiness fails within two seconds, a write is 503 with Retry-After, and all comes back by itself", async () => {
    database.freeze();
    try {
      const found = await readiness(one);
      expect(found.status).toBe(503);
      expect(found.body.checks).toContainEqual(expect.objectContaining({ component: "database", status: "failed" }));
      const refused = await makeKey(one, "frozen");
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    } finally {
      database.thaw();
    }
    await until(
      "both are ready",
      async () => (await readiness(one)).status === 200 && (await readiness(two)).status === 200,
      60_000,
    );
    await until("a write goes through", async () => (await makeKey(one, "thawed")).ok, 20_000);
  }, 90_000);

  test("S5.19 the database server killed under load, nothing acknowledged is lost, and repeated requests get their answers", async () => {
    const acknowledged = new Map<string, string>();
    let isOver = false;
    const lanes = Array.from({ length: 6 }, async (_, lane) => {
      for (let index = 0; !isOver; index++) {
        const name = `kill ${lane}-${index}`;
        const headers = { "idempotency-key": `kill-${lane}-${index}` };
        // Until it is answered: the same request again, at the other server.
        for (let attempt = 0; ; attempt++) {
          const answer = await makeKey((lane + attempt) % 2 === 0 ? one : two, name, headers);
          if (answer.ok) {
            acknowledged.set(name, (await readJson(answer)).id);
            break;
          }
          expect([409, 503]).toContain(answer.status);
          await Bun.sleep(20);
        }
      }
    });
    for (let kill = 0; kill < 2; kill++) {
      const enough = acknowledged.size + 15;
      await until("enough is acknowledged", () => acknowledged.size >= enough, 60_000);
      await database.kill();
      await database.start();
    }
    const enough = acknowledged.size + 15;
    await until("it is written again", () => acknowledged.size >= enough, 60_000);
    isOver = true;
    await Promise.all(lanes);
    const kept = new Map<string, string[]>();
    for (let cursor = ""; ; ) {
      const page = await readJson(await call(two, "GET", `/api/v1/api-keys?limit=100${cursor}`, admin));
      for (const { id, name } of page.data) kept.set(name, [...(kept.get(name) ?? []), id]);
      if (!page.next_cursor) break;
      cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`;
    }
    const wrong = [...acknowledged].filter(([name, id]) => kept.get(name)?.length !== 1 || kept.get(name)?.[0] !== id);
    expect(wrong).toEqual([]);
  }, 180_000);

  test("backup of a database on a server is refused with words, and the doctor tells how it stands", async () => {
    const refused = await first.run(["backup", "copy"], { environment });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain("its own tools for backups");
    const told = await first.run(["doctor"], { environment });
    expect(told.stdout).toContain("the database server answers, and syncs each commit");
    expect(told.stdout).toContain("the schema is as this executable expects");
  });
});
