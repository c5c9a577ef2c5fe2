// What deploy/compose/several.yaml describes, run as processes of this machine by its own settings, flags and commands: a libSQL server, Redis, two
// servers on data folders of their own, nginx in front. One of the two is killed under way.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { root } from "../../build/fingerprint.mjs";
import { Installation, type Loose, readJson, type Serving } from "../harness/executable";
import { hasRedis, RedisServer } from "../harness/redis";
import { hasSqld, SqldServer } from "../harness/sqld";
import { until } from "../harness/storage";

const nginx = Bun.which("nginx", { PATH: `${process.env.PATH}:/usr/sbin` });
const isThere = hasSqld && hasRedis && nginx !== null && Bun.which("openssl") !== null;
const { services } = Bun.YAML.parse(readFileSync(join(root, "deploy/compose/several.yaml"), "utf8")) as Loose;

function freePort(): number {
  const held = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = held;
  held.stop(true);
  return port;
}

describe.if(isThere)("several machines, as the compose file has them", () => {
  const [first, second] = [new Installation(), new Installation()];
  const tls = isThere ? freePort() : 0;
  let database: SqldServer;
  let redis: RedisServer;
  let one: Serving;
  let two: Serving;
  let proxy: Subprocess;

  /** A service's settings with this machine's addresses in place of the network's. */
  const settingsOf = (name: "one" | "two"): Record<string, string> => {
    const places: readonly (readonly [string | RegExp, string])[] = [
      ["http://database:8080", database.url],
      ["http://database:8081", database.adminUrl],
      ["redis://redis:6379", redis.url()],
      [/\$\{BSOPT_NAME:-bsopt\.example\}/, "bsopt.example"],
      ["172.30.0.0/24", "127.0.0.1"],
      ["0.0.0.0", "127.0.0.1"],
    ];
    const { BSOPT_PORT: _, BSOPT_DATA_DIR: __, ...environment } = services[name].environment as Record<string, string>;
    const placed = Object.entries(environment).map(([key, value]) => [
      key,
      places.reduce((text, [from, to]) => text.replace(from, to), value),
    ]);
    return { ...Object.fromEntries(placed), BSOPT_RATE_LIMITS: "on", BSOPT_DRAIN_MS: "0" };
  };

  const ask = (path: string, init: { method?: string; headers?: Record<string, string>; body?: unknown } = {}) =>
    fetch(`https://127.0.0.1:${tls}${path}`, {
      method: init.method ?? "GET",
      headers: { host: "bsopt.example", "content-type": "application/json", ...init.headers },
      ...(init.body !== undefined && { body: JSON.stringify(init.body) }),
      keepalive: false,
      tls: { rejectUnauthorized: false, serverName: "bsopt.example" },
    } as RequestInit);

  beforeAll(async () => {
    database = await SqldServer.start();
    redis = await RedisServer.start();
    one = await first.serve({ environment: settingsOf("one") });
    // What the service "key" does.
    mkdirSync(second.path("bsopt-data"), { mode: 0o700 });
    copyFileSync(first.path("bsopt-data", "master-key"), second.path("bsopt-data", "master-key"));
    two = await second.serve({ environment: settingsOf("two") });

    const folder = first.path("nginx");
    mkdirSync(folder);
    const certificate = ["-subj", "/CN=bsopt.example", "-keyout", join(folder, "privkey.pem")];
    const kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
    Bun.spawnSync(["openssl", ...kind, ...certificate, "-out", join(folder, "fullchain.pem")], { stderr: "ignore" });
    const shipped = readFileSync(join(root, "deploy", "nginx", "nginx.conf"), "utf8")
      .replaceAll("/etc/nginx/tls", folder)
      .replaceAll("/var/log/nginx", folder)
      .replace("/run/nginx.pid", join(folder, "nginx.pid"))
      .replace(/^.*listen \[::\].*$/gm, "")
      .replace("listen 80;", `listen 127.0.0.1:${freePort()};`)
      .replaceAll("listen 443 ssl", `listen 127.0.0.1:${tls} ssl`);
    writeFileSync(join(folder, "shipped.conf"), shipped);
    // The file's own command makes the configuration; only its paths and addresses are this machine's.
    const command = (services.nginx.command.at(-1) as string)
      .split(" && ")[0]!
      .replaceAll("$$", "$")
      .replace("/etc/nginx/bsopt.conf", join(folder, "shipped.conf"))
      .replace("/tmp/nginx.conf", join(folder, "nginx.conf"))
      .replace(`${services.one.networks.front.ipv4_address}:8080`, new URL(one.url).host)
      .replace(`${services.two.networks.front.ipv4_address}:8080`, new URL(two.url).host);
    const made = Bun.spawnSync(["/bin/sh", "-c", command], { env: { ...process.env, BSOPT_NAME: "bsopt.example" } });
    expect(made.exitCode).toBe(0);
    proxy = Bun.spawn([nginx!, "-p", folder, "-c", join(folder, "nginx.conf"), "-g", "daemon off;"], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    await until("nginx answers", async () => (await ask("/health").catch(() => null))?.status === 200);
  }, 60_000);

  afterAll(async () => {
    proxy?.kill("SIGTERM");
    await proxy?.exited;
    first.remove();
    second.remove();
    await redis?.kill();
    await database?.remove();
  });

  test("S3.14 both serve behind one name, and count a user's requests together", async () => {
    const made = await readJson(
      ask("/api/v1/api-keys", {
        method: "POST",
        headers: { "x-api-key": one.key() },
        body: { name: "counted", scopes: ["pricing:read"], rate_class: "standard" },
      }),
    );
    const left: number[] = [];
    for (const serving of [one, two, one, two]) {
      const answer = await fetch(`${serving.url}/api/v1/pricing/models`, {
        headers: { host: "bsopt.example", "x-api-key": made.secret },
      });
      expect(answer.status).toBe(200);
      left.push(Number(answer.headers.get("x-ratelimit-remaining")));
    }
    // Each takes one of the same ten; at most one may have come back meanwhile.
    expect(left[0]! - left[3]!).toBeGreaterThanOrEqual(2);
    const startTimes = new Set<string>();
    await until("both have answered behind nginx", async () => {
      const status = await readJson(ask("/api/v1/status", { headers: { "x-api-key": one.key() } }));
      startTimes.add(status.start_time);
      return startTimes.size === 2;
    });
  });

  test("S3.14 who signs in at one is known at the other, signed out there is out here within 5 seconds; a setting changed at one holds at both", async () => {
    const [email, password] = ["desk@bsopt.example", "staple battery horse 77"];
    const created = await first.run(
      ["user", "create", "--email", email, "--role", "viewer", "--verified", "--password-stdin"],
      {
        stdin: `${password}\n`,
        environment: settingsOf("one"),
      },
    );
    expect(created.code).toBe(0);
    const at = (serving: Serving, method: string, path: string, headers: Record<string, string>, body?: unknown) =>
      fetch(`${serving.url}${path}`, {
        method,
        headers: { host: "bsopt.example", "content-type": "application/json", ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    const signedIn = await readJson(at(one, "POST", "/api/v1/auth/login", {}, { email, password }));
    const authorization = `Bearer ${signedIn.access_token}`;
    expect((await at(two, "GET", "/api/v1/auth/me", { authorization })).status).toBe(200);
    expect((await at(two, "POST", "/api/v1/auth/logout", { authorization })).ok).toBe(true);
    await until(
      "the first refuses the token",
      async () => (await at(one, "GET", "/api/v1/auth/me", { authorization })).status === 401,
      5000,
    );

    const admin = { "x-api-key": one.key() };
    expect((await at(one, "PATCH", "/api/v1/admin/config", admin, { batch_rows_max: 7 })).status).toBe(200);
    const rowsAt = async (serving: Serving) =>
      (await readJson(at(serving, "GET", "/api/v1/pricing/models", admin))).batch_rows_max;
    await until("the second has heard", async () => (await rowsAt(two)) === 7, 5000);
  }, 30_000);

  test("S3.14 one of the two killed, nobody behind nginx gets an error, and back it serves again", async () => {
    const statuses: number[] = [];
    const headers = { "x-api-key": one.key() };
    const round = async (count: number) => {
      for (let index = 0; index < count; index++)
        statuses.push((await ask("/api/v1/pricing/models", { headers })).status);
    };
    await round(20);
    await two.kill();
    await round(60);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    two = await second.serve({ environment: settingsOf("two"), args: ["--port", new URL(two.url).port] });
    const own = await readJson(fetch(`${two.url}/api/v1/status`, { headers: { host: "bsopt.example", ...headers } }));
    await until("it answers behind nginx again", async () => {
      const status = await readJson(ask("/api/v1/status", { headers }));
      return status.start_time === own.start_time;
    });
  }, 60_000);
});
