// The whole application with its limits in Redis: two servers count together, readiness tells when Redis is lost, and
// requests go on, or are refused where the settings say so. With the settings as they come from the environment.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startApp } from "../harness/app";
import { hasRedis, RedisServer } from "../harness/redis";

type Started = Awaited<ReturnType<typeof startApp>>;

describe.skipIf(!hasRedis)("S2.31 servers that share a Redis", () => {
  let folder: string;
  let redis: RedisServer;
  const apps: Started[] = [];
  const start = async (name: string, environment: Record<string, string> = {}) => {
    const app = await startApp(join(folder, name), {
      BSOPT_RATE_LIMITS: "on",
      BSOPT_REDIS_URL: redis.url(2),
      BSOPT_ADDRESS_LIMIT: "1/min burst 6",
      ...environment,
    });
    apps.push(app);
    return app;
  };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "bsopt-limits-"));
    redis = await RedisServer.start();
  });
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.stop()));
    await redis.kill();
    rmSync(folder, { recursive: true });
  });

  const redisCheck = async ({ url }: Started): Promise<{ http: number; status: string }> => {
    const answer = await fetch(`${url}/readiness`);
    const { checks } = (await answer.json()) as { checks: { component: string; status: string }[] };
    return { http: answer.status, status: checks.find(({ component }) => component === "redis")?.status ?? "absent" };
  };
  const becomes = async (app: Started, status: string) => {
    let seen = await redisCheck(app);
    while (seen.status !== status) {
      await Bun.sleep(20);
      seen = await redisCheck(app);
    }
    return seen;
  };

  test("count together, go on alone while it is lost, and come back by themselves", async () => {
    const [one, other] = [await start("one"), await start("other")];
    const ask = async ({ url }: Started) => {
      const { status, headers } = await fetch(`${url}/api/v1/status`);
      return [status, headers.get("x-ratelimit-remaining")];
    };
    expect(await ask(one)).toEqual([401, "5"]);
    expect(await ask(other)).toEqual([401, "4"]);
    expect(await redisCheck(one)).toEqual({ http: 200, status: "ok" });
    for (const remaining of ["3", "2", "1", "0"]) expect(await ask(one)).toEqual([401, remaining]);
    expect(await ask(other)).toEqual([429, "0"]);
    // The key without limits neither counts nor waits.
    expect((await fetch(`${other.url}/api/v1/status`, { headers: { "x-api-key": other.key } })).status).toBe(200);

    await redis.kill();
    expect(await becomes(one, "degraded")).toEqual({ http: 200, status: "degraded" });
    expect(await ask(one)).toEqual([401, "5"]);
    expect(await ask(other)).toEqual([401, "5"]);
    expect(await ask(one)).toEqual([401, "4"]);

    await redis.start();
    expect((await becomes(one, "ok")).http).toBe(200);
    await becomes(other, "ok");
    expect(await ask(one)).toEqual([401, "5"]);
    expect(await ask(other)).toEqual([401, "4"]);
  }, 60_000);

  test("closed: what would be counted is 503 with Retry-After, a key without limits and the probes are served", async () => {
    const own = await RedisServer.start();
    const app = await start("closed", { BSOPT_REDIS_URL: own.url(), BSOPT_LIMITS_FALLBACK: "closed" });
    await own.kill();
    expect(await becomes(app, "failed")).toEqual({ http: 503, status: "failed" });
    const refused = await fetch(`${app.url}/openapi.json`);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(((await refused.json()) as { code: string }).code).toBe("LIMITS_UNAVAILABLE");
    expect((await fetch(`${app.url}/health`)).status).toBe(200);
    expect((await fetch(`${app.url}/api/v1/status`, { headers: { "x-api-key": app.key } })).status).toBe(200);
  }, 60_000);
});
