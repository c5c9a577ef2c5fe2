// Feeds through the whole application: quotes reach the books, what is seen of the feeds over HTTP, who may see it, and a recording of it all
// that is played into another server.

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { startApp } from "../harness/app";
import type { Loose } from "../harness/executable";
import { until as untilTrue } from "../harness/feeds";
import { temporaryFolder } from "../harness/storage";

const folder = temporaryFolder();
type App = Awaited<ReturnType<typeof startApp>>;

async function look(app: App, path: string, headers: Record<string, string> = { "x-api-key": app.key }) {
  const response = await fetch(`${app.url}${path}`, { headers });
  return { status: response.status, body: (await response.json()) as Loose };
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  let isSo = false;
  for (let look = 0; look < 1000 && !isSo; look++) {
    isSo = await holds();
    if (!isSo) await Bun.sleep(10);
  }
  await untilTrue(() => isSo, what);
}

const quotesTaken = async (app: App): Promise<number> => {
  const text = await (await fetch(`${app.url}/metrics`, { headers: { "x-api-key": app.key } })).text();
  return [...text.matchAll(/^bsopt_feed_quotes_total\{feed="\w+"\} (\d+)$/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
};

describe("S4.30 S4.50 feeds of a server", () => {
  const records = join(folder, "records");

  test("simulated ones fill the market, tell of themselves, and are recorded", async () => {
    const app = await startApp(join(folder, "one"), {
      ...{ BSOPT_MARKET_FEEDS: "simulated", BSOPT_MARKET_SIMULATED_TICKS_PER_SECOND: "1000" },
      ...{
        BSOPT_MARKET_SIMULATED_EXPIRIES: "2",
        BSOPT_MARKET_SIMULATED_STRIKES: "10",
        BSOPT_MARKET_RECORD_DIR: records,
      },
    });
    try {
      await until(async () => (await quotesTaken(app)) > 200, "quotes in the market");
      const { status, body } = await look(app, "/api/v1/market/feeds");
      expect(status).toBe(200);
      expect(body.data).toHaveLength(1);
      expect(body.data[0]).toMatchObject({
        name: "simulated",
        kind: "simulated",
        state: "live",
        wanted: null,
        faults: 0,
      });
      expect(body.data[0].lag_seconds).toBeLessThan(5);
      expect(Date.parse(body.data[0].last_quote_at)).toBeGreaterThan(Date.parse(body.data[0].since) - 1);
      const listed = await look(app, "/api/v1/market/instruments?underlying=SPX&limit=1");
      expect(listed.body.data[0].underlying).toBe("SPX");
      const ready = await look(app, "/readiness");
      expect(ready.body.checks.find(({ component }: Loose) => component === "feeds").status).toBe("ok");
    } finally {
      await app.stop();
    }
    expect(readdirSync(records).length).toBeGreaterThan(0);
  });

  test("a recording is played into another server, and ends", async () => {
    const file = join(records, readdirSync(records)[0]!);
    const app = await startApp(join(folder, "two"), {
      ...{
        BSOPT_MARKET_FEEDS: `replay:${file}`,
        BSOPT_MARKET_REPLAY_SPEED: "0",
        BSOPT_MARKET_REPLAY_TIMES: "recorded",
      },
    });
    try {
      await until(async () => (await look(app, "/api/v1/market/feeds")).body.data[0].state === "ended", "its end");
      const { body } = await look(app, "/api/v1/market/feeds");
      expect(body.data[0].quotes).toBeGreaterThan(200);
      expect(body.data[0].name).toStartWith("replay:quotes-");
      expect(JSON.stringify(body)).not.toContain(folder);
      const taken = await look(app, "/api/v1/market/instruments?underlying=SPX&limit=1");
      expect(taken.body.data).toHaveLength(1);
    } finally {
      await app.stop();
    }
  });

  test("none are none, and strangers see nothing of any", async () => {
    const app = await startApp(join(folder, "three"), {});
    try {
      expect((await look(app, "/api/v1/market/feeds")).body).toEqual({ data: [] });
      expect((await look(app, "/api/v1/market/feeds", {})).status).toBe(401);
      const made = await fetch(`${app.url}/api/v1/api-keys`, {
        method: "POST",
        headers: { "x-api-key": app.key, "content-type": "application/json" },
        body: JSON.stringify({ name: "prices", scopes: ["pricing:read"] }),
      });
      const { secret, key } = (await made.json()) as Loose;
      expect((await look(app, "/api/v1/market/feeds", { "x-api-key": secret ?? key })).status).toBe(403);
    } finally {
      await app.stop();
    }
  });

  test("a feed that lacks what it needs stops the start in words", async () => {
    const started = startApp(join(folder, "four"), { BSOPT_MARKET_FEEDS: "kite" });
    expect(await started.catch((error) => error.detail)).toBe("The feed from Kite needs market_kite_api_key.");
  });
});
