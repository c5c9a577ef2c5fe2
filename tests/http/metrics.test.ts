// GET /metrics on the whole application over real sockets: who is let in, what is told at the start, and that each act moves just the
// series that tell of it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localRule } from "../../src/http/client-address";
import { metricDefinitions } from "../../src/telemetry/metric-definitions";
import { startApp } from "../harness/app";
import { until } from "../harness/storage";

const folder = mkdtempSync(join(tmpdir(), "bsopt-metrics-"));
let app: Awaited<ReturnType<typeof startApp>>;
let atStart = "";

beforeAll(async () => {
  app = await startApp(folder, { BSOPT_RATE_LIMITS: "on" });
  atStart = await scrape();
});
afterAll(async () => {
  await app.stop();
  rmSync(folder, { recursive: true });
});

async function scrape(): Promise<string> {
  const response = await fetch(`${app.url}/metrics`);
  expect(response.status).toBe(200);
  return response.text();
}

/** The value of one series, written as Prometheus writes it; undefined where it is not there. */
function seriesValue(text: string, series: string): number | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

/** By how much each of the series grew while `act` ran. */
async function growth(series: readonly string[], act: () => Promise<unknown>): Promise<number[]> {
  const before = await scrape();
  await act();
  const after = await scrape();
  return series.map((each) => (seriesValue(after, each) ?? Number.NaN) - (seriesValue(before, each) ?? Number.NaN));
}

const option = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  volatility: 0.2,
};

function post(path: string, body: unknown, headers: Record<string, string> = { "x-api-key": app.key }) {
  return fetch(app.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

describe("S2.09 S4.60 GET /metrics", () => {
  test("answers this machine itself with Prometheus' text, uncached", async () => {
    const response = await fetch(`${app.url}/metrics`);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      200,
      "text/plain; version=0.0.4; charset=utf-8",
    ]);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const text = await response.text();
    expect(text.endsWith("\n")).toBe(true);
    for (const line of text.split("\n").filter((each) => each !== "")) {
      expect(line).toMatch(
        /^(# (HELP|TYPE) [a-z0-9_]+ .+|[a-z0-9_]+(\{([a-zA-Z0-9_]+="[^"\\]*",?)+\})? [-+0-9.eInf]+)$/,
      );
    }
  });

  test.each([
    ["Forwarded", "for=192.0.2.1"],
    ["X-Forwarded-For", "192.0.2.1"],
    ["X-Forwarded-For", "127.0.0.1"],
    ["X-Forwarded-For", ""],
    ["X-Forwarded-Proto", "https"],
    ["X-Forwarded-Host", "localhost"],
    ["X-Real-IP", "192.0.2.1"],
    ["Via", "1.1 proxy"],
    ["Origin", "http://localhost:8080"],
  ])("S2.13 asks for the permission admin where a request carries %s: %s", async (name, value) => {
    const { status } = await fetch(`${app.url}/metrics`, { headers: { [name]: value } });
    expect(status).toBe(401);
    const admin = await fetch(`${app.url}/metrics`, { headers: { [name]: value, "x-api-key": app.key } });
    expect(admin.status).toBe(200);
  });

  test("S2.13 is forbidden to a key without admin that comes from elsewhere", async () => {
    const made = await post("/api/v1/api-keys", { name: "watcher", scopes: ["pricing:read"] });
    const { secret, key } = (await made.json()) as { secret?: string; key?: string };
    const { status } = await fetch(`${app.url}/metrics`, {
      headers: { "x-api-key": secret ?? key ?? "", "x-forwarded-for": "192.0.2.1" },
    });
    expect([made.status, status]).toEqual([201, 403]);
  });

  test.each([
    ["127.0.0.1", true],
    ["127.9.9.9", true],
    ["::1", true],
    ["::ffff:127.0.0.1", true],
    ["192.0.2.1", false],
    ["::ffff:192.0.2.1", false],
    ["::2", false],
    ["10.0.0.1", false],
    ["", false],
    ["localhost", false],
  ] as const)("a peer at %p is this machine: %p", (peer, isLocal) => {
    const rule = localRule({ isFronted: false });
    expect(rule(peer, "localhost:8080", new Headers())).toBe(isLocal);
    expect(rule(peer, "localhost:8080", new Headers({ "X-FORWARDED-prefix": "/" }))).toBe(false);
    expect(localRule({ isFronted: true })(peer, "localhost:8080", new Headers())).toBe(false);
  });

  // A proxy on this machine that adds no header of its own passes on the name that its client asked for.
  test.each([
    ["127.0.0.1", true],
    ["127.0.0.1:8080", true],
    ["[::1]:8080", true],
    ["localhost", true],
    ["bsopt.example", false],
    ["bsopt.example:8080", false],
    ["192.0.2.1", false],
    ["127.0.0.1.example", false],
    [null, false],
  ])("a request for %p may be of this machine: %p", (host, isLocal) => {
    expect(localRule({ isFronted: false })("127.0.0.1", host, new Headers())).toBe(isLocal);
  });

  test("S2.27 counts against no limit for whom it lets in, and against the address of whom it does not", async () => {
    const open = await fetch(`${app.url}/metrics`);
    expect(open.headers.get("x-ratelimit-limit")).toBeNull();
    const refused = await fetch(`${app.url}/metrics`, { headers: { "x-forwarded-for": "192.0.2.1" } });
    expect(refused.headers.get("x-ratelimit-limit")).not.toBeNull();
  });
});

describe("S4.62 at the start", () => {
  test.each(Object.keys(metricDefinitions))("%s has a series", (name) => {
    expect(atStart.split("\n").some((line) => new RegExp(`^${name}(_count)?(\\{.*\\})? `).test(line))).toBe(true);
  });

  test("every route has its statuses, every limit its decisions and every refusal its code, at 0", () => {
    for (const series of [
      'http_requests_total{method="POST",route="/api/v1/pricing/price",status="200"}',
      'http_requests_total{method="POST",route="/api/v1/pricing/price",status="422"}',
      'http_requests_total{method="POST",route="/api/v1/pricing/price",status="500"}',
      'http_requests_total{method="any",route="unmatched",status="404"}',
      'http_request_duration_seconds_count{method="POST",route="/api/v1/pricing/batch"}',
      'bsopt_rate_limit_decisions_total{bucket="address",decision="refused"}',
      'bsopt_auth_refused_total{kind="forbidden",code="PERMISSION_MISSING"}',
      'bsopt_pricing_kernel_seconds_count{operation="impliedVolatility"}',
    ]) {
      expect([series, seriesValue(atStart, series)]).toEqual([series, 0]);
    }
  });

  test("the health checks are made by the scrape itself", () => {
    for (const component of ["database", "agents"]) {
      expect(seriesValue(atStart, `health_check_status{component="${component}"}`)).toBe(1);
      expect(seriesValue(atStart, `health_check_latency_ms{component="${component}"}`)).toBeGreaterThanOrEqual(0);
      expect(seriesValue(atStart, `health_check_total{component="${component}",status="ok"}`)).toBe(1);
      expect(seriesValue(atStart, `health_check_total{component="${component}",status="failed"}`)).toBe(0);
    }
  });

  test("every background loop is up", () => {
    const loops = atStart.split("\n").filter((line) => line.startsWith("bsopt_agent_up{"));
    expect(loops.length).toBeGreaterThan(5);
    expect(loops.filter((line) => !line.endsWith(" 1"))).toEqual([]);
  });

  test("labels never grow with what clients send", async () => {
    const series = (text: string) => text.split("\n").filter((line) => !line.startsWith("#")).length;
    const before = series(await scrape());
    await fetch(`${app.url}/nowhere-${before}?x=1`);
    await fetch(`${app.url}/api/v1/api-keys/unknown-${before}`, { headers: { "x-api-key": app.key } });
    await fetch(`${app.url}/health`, { method: "PROPFIND" });
    await fetch(`${app.url}/api/v1/status`, { headers: { "x-api-key": "bso_made_up" } });
    expect(series(await scrape())).toBe(before);
  });
});

describe("S2.09 each act moves the series that tell of it", () => {
  test("a priced option", async () => {
    const moved = await growth(
      [
        'http_requests_total{method="POST",route="/api/v1/pricing/price",status="200"}',
        'http_request_duration_seconds_count{method="POST",route="/api/v1/pricing/price"}',
        'bsopt_pricing_options_sum{operation="price"}',
        'bsopt_pricing_kernel_seconds_count{operation="price"}',
        'bsopt_auth_admitted_total{credential="api_key"}',
      ],
      () => post("/api/v1/pricing/price", option),
    );
    expect(moved).toEqual([1, 1, 1, 1, 1]);
  });

  test("a large batch, by its options and the engine's chunks", async () => {
    const strike = Array.from({ length: 10_000 }, (_, row) => 50 + row / 100);
    const moved = await growth(
      [
        'bsopt_pricing_options_sum{operation="priceBatch"}',
        'bsopt_pricing_options_count{operation="priceBatch"}',
        'bsopt_engine_chunks_total{thread="main"}',
      ],
      () => post("/api/v1/pricing/batch", { ...option, strike }),
    );
    // One of 2,048 rows and 16 of 512: the last are short.
    expect(moved).toEqual([10_000, 1, 17]);
  });

  test("what is refused, by status and code, and prices nothing", async () => {
    const moved = await growth(
      [
        'http_requests_total{method="POST",route="/api/v1/pricing/price",status="401"}',
        'bsopt_auth_refused_total{kind="unauthenticated",code="CREDENTIALS_MISSING"}',
        'http_requests_total{method="POST",route="/api/v1/pricing/price",status="422"}',
        'bsopt_pricing_options_count{operation="price"}',
        'http_requests_total{method="any",route="unmatched",status="404"}',
        'http_requests_total{method="any",route="unmatched",status="405"}',
      ],
      async () => {
        await post("/api/v1/pricing/price", option, {});
        await post("/api/v1/pricing/price", { ...option, spot: "much" });
        await fetch(`${app.url}/nowhere`);
        await fetch(`${app.url}/health`, { method: "DELETE" });
      },
    );
    expect(moved).toEqual([1, 1, 1, 0, 1, 1]);
  });

  test("S5.16 work, by the processor's time, the database's and the event loop's; what could be full is told at any moment", async () => {
    const series = [
      "process_cpu_seconds_total",
      "bsopt_database_read_seconds_count",
      "bsopt_database_read_seconds_sum",
      "bsopt_database_commit_seconds_sum",
      "bsopt_event_loop_lag_seconds_count",
    ];
    const moved = await growth(series, async () => {
      const looks = seriesValue(await scrape(), series[4]!)!;
      const strike = Array.from({ length: 4000 }, (_, row) => 50 + row / 40);
      for (let index = 0; index < 5; index++) {
        await post("/api/v1/pricing/batch", { ...option, strike });
        await post("/api/v1/api-keys", { name: `worker ${index}`, scopes: ["pricing:read"] });
        await fetch(`${app.url}/api/v1/api-keys`, { headers: { "x-api-key": app.key } });
      }
      await until("the event loop was looked at", async () => {
        const text = await scrape();
        return seriesValue(text, series[4]!)! > looks;
      });
    });
    for (const [index, name] of series.entries()) expect([name, moved[index]! > 0]).toEqual([name, true]);
    const text = await scrape();
    const levels = ["bsopt_database_writes_queued", "bsopt_requests_waiting", "bsopt_engine_workers_running"];
    for (const name of levels) expect([name, seriesValue(text, name)! >= 0]).toEqual([name, true]);
  });

  test("a write, by its commit", async () => {
    const [writes, commits, sum] = await growth(
      ["bsopt_database_writes_total", "bsopt_database_commit_seconds_count", "bsopt_database_commit_writes_sum"],
      () => post("/api/v1/api-keys", { name: "another", scopes: ["pricing:read"] }),
    );
    expect(commits).toBeGreaterThanOrEqual(1);
    expect(writes).toBeGreaterThanOrEqual(1);
    expect(sum).toBe(writes!);
  });

  test("a limit, by its bucket", async () => {
    const moved = await growth(['bsopt_rate_limit_decisions_total{bucket="address",decision="allowed"}'], () =>
      fetch(`${app.url}/docs`),
    );
    expect(moved).toEqual([1]);
  });
});
