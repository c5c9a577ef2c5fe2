// What the executable talks to is killed, frozen, and cannot be found: the database server, Redis, the mail server, whoever resolves names.
// The rows of docs/operating/failure.md of those names are held here. Frozen is the worse of the two: it takes what is sent and says nothing.

import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Asking } from "../harness/asking";
import { Installation } from "../harness/executable";
import { hasRedis, RedisServer } from "../harness/redis";
import { hasSmallDisk, SmallDisk } from "../harness/small-disk";
import { hasSqld, SqldServer } from "../harness/sqld";
import { until } from "../harness/storage";

const installations: Installation[] = [];
const endings: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});
afterAll(() => {
  for (const made of installations) made.remove();
});
function install(): Installation {
  const made = new Installation();
  installations.push(made);
  return made;
}

/** Longest time of any of these while asked again and again, and what each answered, until `isOver`. */
async function watch(ask: () => Promise<{ status: number; milliseconds: number }>, isOver: () => boolean) {
  let longest = 0;
  const statuses = new Map<number, number>();
  while (!isOver()) {
    const { status, milliseconds } = await ask();
    longest = Math.max(longest, milliseconds);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    await Bun.sleep(10);
  }
  return { longest, statuses };
}

describe.if(hasSqld)("S4.57 S5.19 the database server", () => {
  async function serveOnServer() {
    const database = await SqldServer.start();
    endings.push(() => database.remove());
    const here = install();
    const environment = { BSOPT_DATABASE_URL: database.url, BSOPT_DATABASE_ADMIN_URL: database.adminUrl };
    const serving = await here.serve({ environment });
    return { database, here, environment, serving, asking: new Asking(serving, serving.key()) };
  }

  for (const how of ["killed", "frozen"] as const) {
    test(`database-server-${how}: writes and reads are 503 in bounded time, readiness is 503, known keys price for seconds, all comes back by itself, nothing doubled`, async () => {
      const { database, serving, asking } = await serveOnServer();
      expect((await asking.makeKey("before")).status).toBe(201);
      expect((await asking.price()).status).toBe(200);
      let isOver = false;
      const probing = watch(
        () => asking.request("GET", "/health"),
        () => isOver,
      );
      if (how === "killed") await database.kill();
      else database.freeze();
      // The key was looked up a moment ago.
      expect((await asking.price()).status).toBe(200);
      const refused = await Promise.all([
        asking.readiness().then(({ http, components }) => {
          expect([http, components.database?.split(":")[0]]).toEqual([503, "failed"]);
        }),
        ...["a", "b", "c"].map(async (name) => {
          const answer = await asking.makeKey(name);
          expect([answer.status, answer.body.retryable]).toEqual([503, true]);
          expect(answer.code).toStartWith("DATABASE_");
          expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
          return answer.milliseconds;
        }),
        asking.request("GET", "/api/v1/api-keys").then(({ status, code, milliseconds }) => {
          expect([status, code]).toEqual([503, "DATABASE_UNREACHABLE"]);
          return milliseconds;
        }),
      ]);
      // Once nobody can say any more whether the key holds.
      await until("pricing is 503 too", async () => (await asking.price()).status === 503, 10_000);
      const price = await asking.price();
      expect([price.status, price.code]).toEqual([503, "DATABASE_UNREACHABLE"]);
      // Long enough for every loop to have failed a few times.
      await Bun.sleep(4000);
      expect((await asking.readiness()).components.agents).toBe("ok");
      isOver = true;
      const { longest, statuses } = await probing;
      expect([...statuses.keys()]).toEqual([200]);

      const backAt = performance.now();
      if (how === "killed") await database.start();
      else database.thaw();
      await until("it is ready again", async () => (await asking.readiness()).status === "ok", 30_000);
      const readyMilliseconds = performance.now() - backAt;
      for (const name of ["a", "b", "c", "before"]) {
        await until(`${name} is acknowledged`, async () => (await asking.makeKey(name)).status === 201);
      }
      expect(await asking.keyNames()).toEqual(["a", "b", "before", "c"]);
      const slowest = Math.max(...refused.map((each) => each ?? 0));
      process.stdout.write(
        `database server ${how}: refused within ${slowest.toFixed(0)} ms, /health within ${longest.toFixed(0)} ms, ` +
          `ready ${readyMilliseconds.toFixed(0)} ms after it was back\n`,
      );
      expect(slowest).toBeLessThan(10_000);
      expect(await serving.stop()).toBe(0);
    }, 90_000);
  }

  test("database-server-start: while it is away a start is refused in words within seconds", async () => {
    const { database, here, environment, serving } = await serveOnServer();
    expect(await serving.stop()).toBe(0);
    for (const away of [() => database.freeze(), () => database.kill()]) {
      await away();
      const begunAt = performance.now();
      const refused = await here.run(["serve", "--port", "0"], { environment });
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain("The database server does not answer.");
      expect(performance.now() - begunAt).toBeLessThan(15_000);
    }
  }, 60_000);
});

describe.if(hasRedis)("S4.57 S5.19 Redis", () => {
  for (const how of ["killed", "frozen"] as const) {
    for (const fallback of ["local", "closed"] as const) {
      test(`redis-${how} (${fallback}): no request waits longer than a moment, readiness tells, and it comes back by itself`, async () => {
        const redis = await RedisServer.start();
        endings.push(() => redis.kill());
        const here = install();
        const environment = {
          BSOPT_REDIS_URL: redis.url(),
          BSOPT_LIMITS_FALLBACK: fallback,
          BSOPT_RATE_LIMITS: "on",
          BSOPT_ADDRESS_LIMIT: "100000/min burst 1000",
        };
        const serving = await here.serve({ environment });
        const operator = new Asking(serving, serving.key());
        const made = await operator.makeKey("counted");
        expect(made.status).toBe(201);
        const counted = new Asking(serving, made.body.secret);
        const ask = () => counted.request("GET", "/api/v1/pricing/models");
        expect((await ask()).status).toBe(200);
        expect((await operator.readiness()).components.redis).toBe("ok");

        if (how === "killed") await redis.kill();
        else redis.freeze();
        const first = await ask();
        await until("readiness tells", async () => (await operator.readiness()).components.redis !== "ok");
        const found = await operator.readiness();
        expect([found.http, found.components.redis?.split(":")[0]]).toEqual(
          fallback === "local" ? [200, "degraded"] : [503, "failed"],
        );
        const later = await ask();
        expect(later.code).toBe(fallback === "local" ? null : "LIMITS_UNAVAILABLE");
        expect([first.status, later.status]).toEqual(fallback === "local" ? [200, 200] : [503, 503]);
        // What is not counted needs no counter.
        expect((await operator.price()).status).toBe(200);
        // The one that finds out waits a quarter of a second; whoever comes after, not at all.
        expect(first.milliseconds).toBeLessThan(1500);
        expect(serving.said()).toContain("Redis is out of reach");

        if (how === "killed") await redis.start();
        else redis.thaw();
        await until("readiness is ok again", async () => (await operator.readiness()).status === "ok");
        expect((await ask()).status).toBe(200);
        expect(serving.said().split("limits are counted in Redis").length).toBe(3);
        expect(await serving.stop()).toBe(0);
      }, 60_000);
    }
  }
});

describe("S4.57 S5.19 the mail server", () => {
  const helpers = new Set<Subprocess>();
  afterAll(() => {
    for (const helper of helpers) helper.kill("SIGKILL");
  });

  async function mailServer(port: number) {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "../harness/mail-child.ts"), String(port)], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    helpers.add(child);
    let said = "";
    void (async () => {
      for await (const chunk of child.stdout) said += Buffer.from(chunk).toString();
    })();
    await until("the mail server is there", () => said.includes("ready"));
    return {
      signal: (name: "SIGSTOP" | "SIGCONT" | "SIGKILL") => child.kill(name),
      mails: () => [...said.matchAll(/^mail (.*)$/gm)].map(([, address]) => address),
      ended: child.exited,
    };
  }

  test("mail-server: frozen, then killed: registering is answered, mails wait, readiness is degraded; back, each is delivered once", async () => {
    const port = await freePort();
    const first = await mailServer(port);
    const here = install();
    const serving = await here.serve({ environment: { BSOPT_SMTP_URL: `smtp://127.0.0.1:${port}` } });
    const asking = new Asking(serving, serving.key());
    const register = (name: string) =>
      asking.request("POST", "/api/v1/auth/register", {
        email: `${name}@example.org`,
        password: "seven-green-boats",
      });
    expect((await asking.readiness()).components.smtp).toBe("ok");

    first.signal("SIGSTOP");
    expect((await register("frozen")).status).toBe(202);
    await until("readiness tells", async () => (await asking.readiness()).components.smtp !== "ok");
    const found = await asking.readiness();
    expect([found.http, found.status, found.components.smtp]).toEqual([200, "degraded", "degraded: not reachable"]);
    expect((await asking.price()).status).toBe(200);
    expect(first.mails()).toEqual([]);
    first.signal("SIGCONT");
    await until("the mail is delivered", () => first.mails().length > 0, 40_000);
    await until("readiness is ok", async () => (await asking.readiness()).status === "ok");

    first.signal("SIGKILL");
    await first.ended;
    expect((await register("killed")).status).toBe(202);
    const retried = () => asking.metric('bsopt_outbox_messages_total{outcome="retried"}');
    await until("it was tried", async () => (await retried()) > 0);
    const second = await mailServer(port);
    await until("the mail is delivered", () => second.mails().length > 0, 40_000);
    expect([first.mails(), second.mails()]).toEqual([["frozen@example.org"], ["killed@example.org"]]);
    await until("nothing waits", async () => (await asking.metric("bsopt_outbox_messages_pending")) === 0);
    expect(await serving.stop()).toBe(0);
  }, 120_000);
});

/** Names are asked for at port 53: that is the administrator's. */
const canAnswerNames = hasSmallDisk && process.getuid?.() === 0;
if (!canAnswerNames) process.stderr.write("left out: tests with a resolver of their own: this user may not\n");

describe.if(canAnswerNames)("S4.57 S5.19 whoever resolves names", () => {
  const password = "mule turbine oak 27";
  const email = "ada@example.org";

  /** A resolver at an address of its own, and a place where it is the system's; silent, or answering that there is no such name. */
  async function resolver(here: Installation, address: string) {
    const socket = createSocket("udp4");
    let isSilent = true;
    let askedCount = 0;
    socket.on("message", (question, from) => {
      askedCount += 1;
      if (isSilent) return;
      const answer = Buffer.from(question);
      // A response (QR), recursion available, name error (RCODE 3): RFC 1035 section 4.1.1.
      answer[2] = (answer[2] ?? 0) | 0x80;
      answer[3] = 0x83;
      socket.send(answer, from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind(53, address, resolve));
    endings.push(() => socket.close());
    const disk = await SmallDisk.mount(here.path("names"), 64);
    endings.push(() => disk.remove());
    writeFileSync(here.path("resolv.conf"), `nameserver ${address}\n`);
    const bound = Bun.spawnSync([...disk.within, "mount", "--bind", here.path("resolv.conf"), "/etc/resolv.conf"]);
    expect(bound.exitCode).toBe(0);
    return {
      within: disk.within,
      askedCount: () => askedCount,
      speak: () => {
        isSilent = false;
      },
    };
  }

  test("names: nobody answers for Redis, the mail server and the collector: it starts, and prices and sign-ins go on as ever", async () => {
    const here = install();
    const { within, askedCount, speak } = await resolver(here, "127.9.53.1");
    const data = here.path("bsopt-data");
    const environment = {
      BSOPT_REDIS_URL: "redis://redis.example.net:6379",
      BSOPT_RATE_LIMITS: "on",
      BSOPT_ADDRESS_LIMIT: "100000/min burst 1000",
      BSOPT_USER_LIMIT: "100000/min burst 1000",
      BSOPT_SMTP_URL: "smtp://smtp.example.net:25",
      BSOPT_OTLP_URL: "http://collector.example.net:4318",
      BSOPT_TRACE_PERCENT: "100",
    };
    const begunAt = performance.now();
    const serving = await here.serve({ within, environment, args: ["--data-dir", data] });
    const startMilliseconds = performance.now() - begunAt;
    const asking = new Asking(serving, serving.key());
    const made = await here.run(
      ["user", "create", "--email", email, "--role", "trader", "--verified", "--password-stdin"],
      { stdin: `${password}\n` },
    );
    expect(made).toMatchObject({ code: 0 });
    await until("readiness tells", async () => (await asking.readiness()).status === "degraded");
    expect((await asking.readiness()).components).toEqual({
      database: "ok",
      agents: "ok",
      market_history: "ok",
      redis: "degraded: not reachable",
      smtp: "degraded: not reachable",
    });
    // Signing and verifying a token takes one of the few threads that a name would hold for ten seconds.
    let slowest = 0;
    const until8Seconds = performance.now() + 8000;
    while (performance.now() < until8Seconds) {
      const login = await asking.request("POST", "/api/v1/auth/login", { email, password });
      expect(login.status).toBe(200);
      const me = await fetch(`${serving.url}/api/v1/auth/me`, {
        headers: { authorization: `Bearer ${login.body.access_token}` },
      });
      expect(me.status).toBe(200);
      expect((await asking.price()).status).toBe(200);
      await asking.readiness();
      slowest = Math.max(slowest, login.milliseconds);
      await Bun.sleep(100);
    }
    expect(askedCount()).toBeGreaterThan(0);
    process.stdout.write(
      `no names: started in ${startMilliseconds.toFixed(0)} ms, slowest sign-in ${slowest.toFixed(0)} ms\n`,
    );
    expect(slowest).toBeLessThan(3000);
    expect(startMilliseconds).toBeLessThan(10_000);
    // A resolver that says "no such name" is one that answers: the failure is the name's then.
    speak();
    expect((await asking.price()).status).toBe(200);
    expect(await serving.stop()).toBe(0);
  }, 90_000);

  test("names-database: a database server whose name nobody resolves refuses the start in words, in seconds", async () => {
    const here = install();
    const { within } = await resolver(here, "127.9.53.2");
    const begunAt = performance.now();
    const refused = await here.run(["serve", "--port", "0", "--data-dir", here.path("bsopt-data")], {
      within,
      environment: { BSOPT_DATABASE_URL: "http://database.example.net:8080" },
    });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("The database server does not answer.");
    expect(performance.now() - begunAt).toBeLessThan(15_000);
    expect(readdirSync(here.folder)).toContain("resolv.conf");
  }, 60_000);
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
