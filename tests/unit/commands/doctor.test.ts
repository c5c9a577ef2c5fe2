// What the doctor makes of its readings, by the numbers; whole command lines are tried on the executable.

import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  backupFinding,
  type ClockReading,
  clockFinding,
  dataFolderFindings,
  exposureFinding,
  type Finding,
  keyFileFindings,
  mountOptionsOf,
  openFilesFinding,
  portFinding,
  readPort,
  roomFinding,
  runtimeVariableFindings,
  temporaryFolderFinding,
} from "../../../src/commands/doctor-checks";
import { loadConfig } from "../../../src/config/config";
import { temporaryFolder } from "../../harness/storage";

const configOf = (environment: Record<string, string>) => loadConfig({ flags: {}, environment, file: null });
const clockAt = (reading: Partial<ClockReading>) =>
  clockFinding({ wallElapsed: 200, monotonicElapsed: 200, wallNow: 2e12, buildTime: 1e12, ...reading });
const limits = (count: string) =>
  `Limit  Soft Limit  Hard Limit\nMax open files            ${count}                 8192     files\n`;
const mebibyte = 1024 * 1024;
const exposed = { BSOPT_HOST: "0.0.0.0" };
const mounts = "rootfs / ext4 rw 0 0\ntmpfs /tmp tmpfs rw,nosuid,noexec 0 0\ntmpfs /tmp/a\\040b tmpfs rw 0 0\n";

const rows: { name: string; finding: Finding | undefined; status: Finding["status"] }[] = [
  { name: "255 open files", finding: openFilesFinding(limits("255")), status: "fail" },
  { name: "1024 open files", finding: openFilesFinding(limits("1024")), status: "warn" },
  { name: "4096 open files", finding: openFilesFinding(limits("4096")), status: "ok" },
  { name: "no limit of open files", finding: openFilesFinding(limits("unlimited")), status: "ok" },
  { name: "a system that tells no limit", finding: openFilesFinding(null), status: "ok" },
  { name: "clocks that agree", finding: clockAt({}), status: "ok" },
  { name: "a clock that was moved forward", finding: clockAt({ wallElapsed: 251 }), status: "warn" },
  { name: "a clock that was moved back", finding: clockAt({ wallElapsed: -5000 }), status: "warn" },
  { name: "a clock before the build", finding: clockAt({ wallNow: 1e12 - 1 }), status: "fail" },
  { name: "63 MiB of room", finding: roomFinding("disk", 63 * mebibyte, 0), status: "fail" },
  { name: "1023 MiB of room", finding: roomFinding("disk", 1023 * mebibyte, 0), status: "warn" },
  { name: "1024 MiB of room", finding: roomFinding("disk", 1024 * mebibyte, 0), status: "ok" },
  { name: "less room than a copy takes", finding: roomFinding("disk", 2e9, 3e9), status: "warn" },
  { name: "a free port", finding: portFinding("free", 8080), status: "ok" },
  { name: "a port of another bsopt", finding: portFinding("bsopt", 8080), status: "ok" },
  { name: "a port of something else", finding: portFinding("other", 8080), status: "fail" },
  { name: "a forbidden port", finding: portFinding("forbidden", 80), status: "fail" },
  { name: "no backup yet", finding: backupFinding(null, 24), status: "warn" },
  { name: "a backup of 48 hours, daily", finding: backupFinding(48, 24), status: "ok" },
  { name: "a backup of 49 hours, daily", finding: backupFinding(49, 24), status: "fail" },
  { name: "loopback", finding: exposureFinding(configOf({})), status: "ok" },
  { name: "every address, no proxy", finding: exposureFinding(configOf(exposed)), status: "warn" },
  {
    name: "every address, a proxy, no public address",
    finding: exposureFinding(configOf({ ...exposed, BSOPT_TRUSTED_PROXIES: "10.0.0.1" })),
    status: "warn",
  },
  {
    name: "every address, a proxy with TLS",
    finding: exposureFinding(
      configOf({ ...exposed, BSOPT_TRUSTED_PROXIES: "10.0.0.1", BSOPT_PUBLIC_URL: "https://bsopt.example" }),
    ),
    status: "ok",
  },
  {
    name: "loopback with a public address, no proxy",
    finding: exposureFinding(configOf({ BSOPT_PUBLIC_URL: "https://bsopt.example" })),
    status: "warn",
  },
  {
    name: "loopback with another name, no proxy",
    finding: exposureFinding(configOf({ BSOPT_ALLOWED_HOSTS: "bsopt.example" })),
    status: "warn",
  },
  {
    name: "loopback with another name, a proxy",
    finding: exposureFinding(configOf({ BSOPT_ALLOWED_HOSTS: "bsopt.example", BSOPT_TRUSTED_PROXIES: "127.0.0.1" })),
    status: "ok",
  },
  { name: "a clean environment", finding: runtimeVariableFindings({ PATH: "/bin" })[0], status: "ok" },
  { name: "BUN_OPTIONS", finding: runtimeVariableFindings({ BUN_OPTIONS: "--smol" })[0], status: "warn" },
  { name: "BUN_BE_BUN", finding: runtimeVariableFindings({ BUN_BE_BUN: "1" })[0], status: "warn" },
  { name: "TMPDIR that is not there", finding: temporaryFolderFinding("/nonexistent/folder", null), status: "fail" },
];

describe("the doctor", () => {
  test.each(rows)("S1.17 finds $name $status, and says how to mend what is not well", ({ finding, status }) => {
    expect(finding!.status).toBe(status);
    expect(finding!.mend === undefined).toBe(status === "ok");
  });

  test("S1.17 reads the options of the mount that a path lies on", () => {
    expect(mountOptionsOf("/tmp/x", mounts)).toEqual(["rw", "nosuid", "noexec"]);
    expect(mountOptionsOf("/tmpx", mounts)).toEqual(["rw"]);
    expect(mountOptionsOf("/tmp/a b/c", mounts)).toEqual(["rw"]);
    expect(mountOptionsOf("/x", "")).toEqual([]);
  });

  test("S1.17 finds a temporary folder mounted noexec", () => {
    const folder = temporaryFolder();
    expect(temporaryFolderFinding(folder, `t ${folder} tmpfs rw,noexec 0 0`).status).toBe("fail");
    expect(temporaryFolderFinding(folder, `t ${folder} tmpfs rw 0 0`).status).toBe("ok");
  });

  test("S1.17 S3.22 finds keys that others can read, and a folder that others can enter", () => {
    const folder = join(temporaryFolder(), "data");
    mkdirSync(folder, { mode: 0o700 });
    const config = configOf({ BSOPT_DATA_DIR: folder });
    for (const name of ["bsopt.db", "admin-api-key"]) writeFileSync(join(folder, name), "", { mode: 0o600 });
    expect(keyFileFindings(config).map(({ status }) => status)).toEqual(["warn", "ok"]);
    writeFileSync(join(folder, "master-key"), "canary", { mode: 0o644 });
    const [found] = keyFileFindings(config);
    expect(found).toMatchObject({ status: "fail", mend: expect.stringContaining("chmod 600") });
    expect(JSON.stringify(found)).not.toContain("canary");
    expect(dataFolderFindings(config)[0]!.status).toBe("ok");
    chmodSync(folder, 0o755);
    expect(dataFolderFindings(config)[0]).toMatchObject({ status: "warn", mend: expect.stringContaining("chmod 700") });
    expect(dataFolderFindings(configOf({ BSOPT_DATA_DIR: join(folder, "none") }))[0]!.status).toBe("warn");
    expect(dataFolderFindings(configOf({ BSOPT_DATA_DIR: join(folder, "bsopt.db") }))[0]!.status).toBe("fail");
  });

  test("S1.17 tells a bsopt on the port from another program", async () => {
    let body = '{ "status": "ok" }';
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(body) });
    const port = server.port!;
    expect(await readPort("127.0.0.1", port)).toBe("bsopt");
    body = "hello";
    expect(await readPort("127.0.0.1", port)).toBe("other");
    await server.stop(true);
    expect(await readPort("127.0.0.1", port)).toBe("free");
  });
});
