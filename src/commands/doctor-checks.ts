// What `bsopt doctor` looks at on the machine and in the data folder, one function a subject, each answering with findings in words.
// Separate from the command, which asks, prints and ends with a code, and from what needs the database engine. Readings come from
// the system; what is made of them is decided in pure functions, so that tests own the numbers. Nothing found is a secret.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Config } from "../config/config";
import { type Clock, formatTimestamp } from "../foundation/clock";
import { isLoopbackHost } from "../foundation/loopback";
import { printable } from "../foundation/printable";

export interface Finding {
  readonly check: string;
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  /** What to do about it. */
  readonly mend?: string;
}

const ok = (check: string, detail: string): Finding => ({ check, status: "ok", detail });
export const warn = (check: string, detail: string, mend: string): Finding => ({ check, status: "warn", detail, mend });
export const fail = (check: string, detail: string, mend: string): Finding => ({ check, status: "fail", detail, mend });

const mebibyte = 1024 * 1024;
const freeBytesMin = 64 * mebibyte;
const freeBytesComfortable = 1024 * mebibyte;
const openFilesMin = 256;
const openFilesComfortable = 4096;
const clockProbeMilliseconds = 200;
/** What two clocks may differ by over that time on a machine that is busy. */
const clockDriftMillisecondsMax = 50;

/** The limit of open files: each connection is one. `limits` is the text of /proc/self/limits, or null elsewhere. */
export function openFilesFinding(limits: string | null): Finding {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits ?? "")?.[1];
  if (soft === undefined) return ok("open_files", "this system does not tell the limit of open files");
  if (soft === "unlimited") return ok("open_files", "no limit of open files");
  const mend = "Raise it: LimitNOFILE= in the systemd unit, ulimits in a container, ulimit -n in a shell.";
  const detail = `${soft} files may be open, one for each connection`;
  if (Number(soft) < openFilesMin) return fail("open_files", detail, mend);
  return Number(soft) < openFilesComfortable ? warn("open_files", detail, mend) : ok("open_files", detail);
}

/** The system's limits as text, or null where there are none to read. */
export function readLimits(): string | null {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return null;
  }
}

/** What the two clocks say of each other and of this build, all in milliseconds. */
export interface ClockReading {
  readonly wallElapsed: number;
  readonly monotonicElapsed: number;
  readonly wallNow: number;
  readonly buildTime: number;
}

/** Wall time must run as fast as time does, and cannot lie before this executable was made. */
export function clockFinding({ wallElapsed, monotonicElapsed, wallNow, buildTime }: ClockReading): Finding {
  const drift = wallElapsed - monotonicElapsed;
  const mend =
    "Set the clock and keep it by NTP (systemd-timesyncd, chrony): expiries, tokens and the audit log depend on it.";
  const shown = formatTimestamp(BigInt(Math.round(wallNow)) * 1000n);
  if (wallNow < buildTime) return fail("clock", `the clock says ${shown}, before this executable was built`, mend);
  if (Math.abs(drift) > clockDriftMillisecondsMax) {
    return warn("clock", `the clock was moved by ${drift.toFixed(0)} ms within ${clockProbeMilliseconds} ms`, mend);
  }
  return ok("clock", `the clock says ${shown} and runs evenly`);
}

/** Watches both clocks for a fifth of a second. */
export async function readClocks(clock: Clock, buildTime: string): Promise<ClockReading> {
  const wallBefore = clock.nowMicroseconds();
  const monotonicBefore = clock.monotonicMilliseconds();
  await clock.sleep(clockProbeMilliseconds);
  const wallAfter = clock.nowMicroseconds();
  return {
    wallElapsed: Number(wallAfter - wallBefore) / 1000,
    monotonicElapsed: clock.monotonicMilliseconds() - monotonicBefore,
    wallNow: Number(wallAfter / 1000n),
    buildTime: Date.parse(buildTime),
  };
}

/** Room on the disk of a folder. */
export function roomFinding(check: string, freeBytes: number, databaseBytes: number): Finding {
  const detail = `${(freeBytes / mebibyte).toFixed(0)} MiB are free`;
  const mend = "Free space or enlarge the disk: with none left, what is to be written is refused.";
  if (freeBytes < freeBytesMin) return fail(check, detail, mend);
  if (freeBytes < Math.max(freeBytesComfortable, databaseBytes)) return warn(check, detail, mend);
  return ok(check, detail);
}

/** The data folder: there, a folder, private, writable and flushable, with room. Makes nothing that stays. */
export function dataFolderFindings(config: Config): Finding[] {
  const folder = resolve(config.storage.dataDirectory);
  const name = printable(folder);
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (stats === undefined) {
    return [warn("data_folder", `there is no folder ${name} yet`, "The first start of bsopt serve makes it.")];
  }
  if (!stats.isDirectory()) return [fail("data_folder", `${name} is not a folder`, "Name a folder with --data-dir.")];
  const findings: Finding[] = [];
  const code = tryToWrite(folder);
  if (code !== null) {
    const mend = "The user that runs bsopt must own the folder, on a disk mounted writable.";
    findings.push(fail("data_folder", `${name} cannot be written (${code})`, mend));
  } else if (isOpenToOthers(stats.mode)) {
    findings.push(warn("data_folder", `${name} can be entered by other users`, `chmod 700 ${name}`));
  } else findings.push(ok("data_folder", `${name} can be written and is private`));
  const { bavail, bsize } = statfsSync(folder);
  findings.push(roomFinding("disk", bavail * bsize, sizeOf(join(folder, "bsopt.db"))));
  return findings;
}

/** Whether the files with keys are their owner's alone. */
export function keyFileFindings(config: Config): Finding[] {
  return ["master-key", "admin-api-key"].map((name) => {
    const path = join(config.storage.dataDirectory, name);
    const check = name.replaceAll("-", "_");
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return missingKey(check, name, existsSync(join(config.storage.dataDirectory, "bsopt.db")));
    if (!stats.isFile())
      return fail(check, `${name} is not a file`, `Take away what stands at ${printable(resolve(path))}.`);
    if (isOpenToOthers(stats.mode)) {
      const mode = (stats.mode & 0o777).toString(8);
      return fail(check, `other users can read ${name} (mode ${mode})`, `chmod 600 ${printable(resolve(path))}`);
    }
    return ok(check, `${name} is its owner's alone`);
  });
}

function missingKey(check: string, name: string, hasDatabase: boolean): Finding {
  if (!hasDatabase) return ok(check, `${name} comes with the first start`);
  return name === "master-key"
    ? warn(
        check,
        "there is a database but no master-key",
        "Restore master-key from a backup; what was sealed opens with it alone.",
      )
    : ok(check, `${name} was taken away, as it should be once other keys are there`);
}

/** TMPDIR takes the database engine's native part at every start: it must be writable, and allow execution. `mounts` is /proc/mounts. */
export function temporaryFolderFinding(folder: string, mounts: string | null): Finding {
  const mend = "Set TMPDIR to a folder that this user can write, on a disk mounted without noexec.";
  const name = printable(folder);
  const code = tryToWrite(folder);
  if (code !== null) return fail("tmpdir", `TMPDIR ${name} cannot be written (${code})`, mend);
  const options = mountOptionsOf(resolve(folder), mounts ?? "");
  if (options.includes("noexec")) return fail("tmpdir", `TMPDIR ${name} is mounted noexec`, mend);
  return ok("tmpdir", `TMPDIR ${name} can be written and executed from`);
}

/** TMPDIR and the mounts as the system has them. */
export function readTemporaryFolder(): { folder: string; mounts: string | null } {
  try {
    return { folder: tmpdir(), mounts: readFileSync("/proc/mounts", "utf8") };
  } catch {
    return { folder: tmpdir(), mounts: null };
  }
}

/** Options of the mount that the path lies on: the longest mount point that leads to it, the last of its kind. */
export function mountOptionsOf(path: string, mounts: string): string[] {
  let found = { length: -1, options: [] as string[] };
  for (const line of mounts.split("\n")) {
    const [, point = "", , options = ""] = line.split(" ");
    const at = point.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const leads = at === "/" || path === at || path.startsWith(`${at}/`);
    if (at !== "" && leads && at.length >= found.length) found = { length: at.length, options: options.split(",") };
  }
  return found.options;
}

/** Variables of the runtime that change what the executable does, whatever its settings. */
export function runtimeVariableFindings(environment: Readonly<Record<string, string | undefined>>): Finding[] {
  const names = [
    "BUN_OPTIONS",
    "BUN_BE_BUN",
    "BUN_INSPECT",
    "BUN_INSPECT_PRELOAD",
    "NODE_OPTIONS",
    "NODE_TLS_REJECT_UNAUTHORIZED",
  ];
  const set = names.filter((name) => (environment[name] ?? "") !== "");
  if (set.length === 0) return [ok("runtime_variables", "no variable of the runtime changes what bsopt does")];
  return set.map((name) =>
    warn(
      "runtime_variables",
      `${name} is set and changes what the executable does`,
      `Unset ${name} where bsopt is started.`,
    ),
  );
}

/** Whether the server is reachable from beyond this machine without what that needs. */
export function exposureFinding({ http, publicUrl }: Pick<Config, "http" | "publicUrl">): Finding {
  if (http.isFronted) {
    const mend =
      "Name the proxy in trusted_proxies, and have it send X-Forwarded-For (deploy/nginx). Until then limits, keys tied to addresses and the audit log see the proxy alone, and /metrics asks for a key.";
    return warn("exposure", `listens on ${http.host} behind a proxy that is not named`, mend);
  }
  if (isLoopbackHost(http.host)) return ok("exposure", `listens on ${http.host}, reachable from this machine alone`);
  const detail = `listens on ${http.host}, reachable from other machines, in plain HTTP`;
  if (http.trustedProxies.length === 0) {
    const mend = "Put a proxy with TLS in front (deploy/nginx) and name it in trusted_proxies, or listen on 127.0.0.1.";
    return warn("exposure", `${detail}, and no proxy is named`, mend);
  }
  if (publicUrl === null || !publicUrl.startsWith("https:")) {
    return warn("exposure", `${detail} behind a proxy`, "Set public_url to the https address that people use.");
  }
  return ok("exposure", `${detail}, behind a proxy with TLS`);
}

/** What listens where the server would: nothing, another bsopt, or something else. */
export type PortReading = "free" | "bsopt" | "other" | "forbidden";

/** Tries to listen there; where that fails, asks who does. */
export async function readPort(host: string, port: number): Promise<PortReading> {
  if (port === 0) return "free";
  try {
    const listener = Bun.listen({ hostname: host, port, socket: { data() {} } });
    listener.stop(true);
    return "free";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return "forbidden";
    const asked = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host;
    const answer = await fetch(`http://${asked}:${port}/health`, {
      signal: AbortSignal.timeout(2000),
      redirect: "manual",
    })
      .then(async (response) => response.ok && (await response.text()).replace(/\s/g, ""))
      .catch(() => "");
    return answer === '{"status":"ok"}' ? "bsopt" : "other";
  }
}

/** What that means. */
export function portFinding(reading: PortReading, port: number): Finding {
  switch (reading) {
    case "free":
      return ok("port", port === 0 ? "any free port is taken" : `port ${port} is free`);
    case "bsopt":
      return ok("port", `a bsopt server answers on port ${port}`);
    case "forbidden":
      return fail(
        "port",
        `this user may not listen on port ${port}`,
        "Choose a port over 1023, or allow it (AmbientCapabilities=CAP_NET_BIND_SERVICE).",
      );
    case "other":
      return fail("port", `another program listens on port ${port}`, "Stop it, or choose another port with --port.");
  }
}

/** How old the newest scheduled backup is; null where none was made yet. */
export function backupFinding(ageHours: number | null, everyHours: number): Finding {
  const mend = 'Look in the server\'s log for "no backup could be made"; the server must be running.';
  if (ageHours === null) return warn("backups", "no backup has been made yet", mend);
  const detail = `the newest backup is ${ageHours.toFixed(1)} hours old`;
  return ageHours > 2 * everyHours ? fail("backups", detail, mend) : ok("backups", detail);
}

/** Null where a file can be made, written, flushed and removed there, else the system's code. */
function tryToWrite(folder: string): string | null {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    const probe = mkdtempSync(join(folder, ".doctor-"));
    try {
      const descriptor = openSync(join(probe, "file"), "wx", 0o600);
      try {
        writeSync(descriptor, "doctor");
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    } finally {
      rmSync(join(probe, "file"), { force: true });
      rmdirSync(probe);
    }
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unknown";
  }
}

function isOpenToOthers(mode: number): boolean {
  return process.platform !== "win32" && (mode & 0o077) !== 0;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
