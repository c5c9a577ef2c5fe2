// The nginx.conf that is shipped, in front of the executable: what it lets through, what it keeps back, whose address bsopt sees.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { root } from "../../build/fingerprint.mjs";
import { Installation, readJson, type Serving } from "../harness/executable";

const nginx = Bun.which("nginx", { PATH: `${process.env.PATH}:/usr/sbin` });
const isThere = nginx !== null && Bun.which("openssl") !== null;
if (!isThere) process.stderr.write("left out: tests behind nginx need nginx and openssl on the PATH\n");

/** Two ports that are free now. */
function freePorts(): [number, number] {
  const held = [0, 0].map(() => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }));
  const ports = held.map(({ port }) => port);
  for (const listener of held) listener.stop(true);
  return [ports[0]!, ports[1]!];
}

describe.if(isThere)("behind the shipped nginx.conf", () => {
  const installation = new Installation();
  const [plain, tls] = isThere ? freePorts() : [0, 0];
  const url = `https://127.0.0.1:${tls}`;
  let serving: Serving;
  let proxy: Subprocess;

  const ask = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
    fetch(url + path, {
      ...init,
      headers: { host: "bsopt.example", ...headers },
      redirect: "manual",
      tls: { rejectUnauthorized: false, serverName: "bsopt.example" },
    } as RequestInit);

  beforeAll(async () => {
    serving = await installation.serve({
      environment: {
        BSOPT_ALLOWED_HOSTS: "bsopt.example",
        BSOPT_TRUSTED_PROXIES: "127.0.0.1",
        BSOPT_RATE_LIMITS: "on",
        BSOPT_ADDRESS_LIMIT: "1000/min burst 40",
      },
    });
    const folder = installation.path("nginx");
    mkdirSync(folder);
    const certificate = ["-subj", "/CN=bsopt.example", "-keyout", join(folder, "privkey.pem")];
    const kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
    const out = ["-out", join(folder, "fullchain.pem")];
    expect(Bun.spawnSync(["openssl", ...kind, ...certificate, ...out], { stderr: "ignore" }).exitCode).toBe(0);
    const text = readFileSync(join(root, "deploy", "nginx", "nginx.conf"), "utf8")
      .replaceAll("/etc/nginx/tls", folder)
      .replaceAll("/var/log/nginx", folder)
      .replace("/run/nginx.pid", join(folder, "nginx.pid"))
      .replace("127.0.0.1:8080", new URL(serving.url).host)
      .replace(/^.*listen \[::\].*$/gm, "")
      .replace("listen 80;", `listen 127.0.0.1:${plain};`)
      .replaceAll("listen 443 ssl", `listen 127.0.0.1:${tls} ssl`)
      // The test's own client stands on this address, and shall not pass for a balancer.
      .replace("set_real_ip_from 127.0.0.1;", "");
    writeFileSync(join(folder, "nginx.conf"), text);
    proxy = Bun.spawn([nginx!, "-p", folder, "-c", join(folder, "nginx.conf"), "-g", "daemon off;"], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    while (!(await ask("/health").catch(() => null))) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  afterAll(async () => {
    proxy?.kill("SIGTERM");
    await proxy?.exited;
    await serving?.stop();
    installation.remove();
  });

  test("S1.10 requests come through over TLS, with the headers of both", async () => {
    const status = await ask("/api/v1/status", { "x-api-key": serving.key() });
    expect(status.status).toBe(200);
    expect(status.headers.get("strict-transport-security")).toContain("max-age=");
    expect(status.headers.get("x-request-id")).toBeString();
    expect((await readJson(ask("/readiness"))).status).toBe("ok");
  });

  test("S1.10 plain HTTP is sent to TLS, other names and metrics get nothing", async () => {
    const plainAnswer = await fetch(`http://127.0.0.1:${plain}/docs?x=1`, {
      headers: { host: "bsopt.example" },
      redirect: "manual",
    });
    expect([plainAnswer.status, plainAnswer.headers.get("location")]).toEqual([308, "https://bsopt.example/docs?x=1"]);
    expect((await ask("/health", { host: "evil.example" })).status).toBe(421);
    expect((await ask("/metrics")).status).toBe(404);
    expect((await ask("/metrics", { "x-api-key": serving.key() })).status).toBe(404);
  });

  test("S1.10 S2.14 an anonymous body is refused by bsopt before it has been sent, not collected by nginx", async () => {
    const refused = await ask(
      "/api/v1/pricing/batch",
      { "content-type": "application/json" },
      {
        method: "POST",
        body: "x".repeat(1_000_000),
      },
    );
    expect([refused.status, refused.headers.get("content-type")]).toEqual([
      401,
      expect.stringContaining("application/problem+json"),
    ]);
  });

  test("S1.10 S2.31 whoever writes X-Forwarded-For is still counted by its own address", async () => {
    const statuses: number[] = [];
    for (let index = 0; index < 60; index++) {
      const forged = { "x-forwarded-for": `203.0.113.${index}`, forwarded: `for=203.0.113.${index}` };
      statuses.push((await ask("/api/v1/pricing/models", forged)).status);
    }
    expect(statuses).toContain(429);
  });
});
