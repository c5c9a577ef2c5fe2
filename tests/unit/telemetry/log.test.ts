// The real log: levels, shape, and that secrets are blanked by name.

import { describe, expect, test } from "bun:test";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog, logDestination } from "../../../src/telemetry/log";

function recorder(level: "debug" | "info" | "warn" | "error") {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({
    level,
    version: "1.2.3",
    destination: { write: (line: string) => lines.push(JSON.parse(line)) },
  });
  return { log, lines };
}

describe("log", () => {
  test("S3.17 a line carries level, time in UTC, service, version, message and fields", () => {
    const { log, lines } = recorder("info");
    log.info({ port: 8080 }, "listening");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      level: "info",
      service: "bsopt",
      version: "1.2.3",
      message: "listening",
      port: 8080,
    });
    expect(lines[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  test("S2.36 what is below the level is not written", () => {
    const { log, lines } = recorder("warn");
    log.debug({}, "a");
    log.info({}, "b");
    log.warn({}, "c");
    log.error({}, "d");
    expect(lines.map(({ message }) => message)).toEqual(["c", "d"]);
  });

  test.each(["password", "secret", "token", "authorization", "apiKey", "x-api-key", "cookie"])(
    "S4.55 S3.22 %s is blanked at the top and one level down",
    (name) => {
      const { log, lines } = recorder("info");
      log.info({ [name]: "hunter2", headers: { [name]: "hunter2" } }, "request");
      expect(JSON.stringify(lines)).not.toContain("hunter2");
      expect(lines[0]).toMatchObject({ [name]: "[redacted]", headers: { [name]: "[redacted]" } });
    },
  );

  test("an error is written with its type, message and stack", () => {
    const { log, lines } = recorder("info");
    log.error({ error: new RangeError("too far") }, "failed");
    expect(lines[0]?.error).toMatchObject({
      type: "RangeError",
      message: "too far",
      stack: expect.stringContaining("too far"),
    });
  });

  test.skipIf(!existsSync("/dev/full"))("a line on a full disk throws nothing, and no line does after it", () => {
    const descriptor = openSync("/dev/full", "w");
    const log = createLog({ level: "info", version: "1.2.3", destination: logDestination(descriptor) });
    for (let line = 0; line < 1000; line++) log.error({ text: "x".repeat(5000) }, "failed");
    closeSync(descriptor);
  });

  test("a line reaches a file before the call returns", () => {
    const folder = mkdtempSync(join(tmpdir(), "bsopt-log-"));
    const descriptor = openSync(join(folder, "log"), "w");
    createLog({ level: "info", version: "1.2.3", destination: logDestination(descriptor) }).info({}, "said");
    expect(JSON.parse(readFileSync(join(folder, "log"), "utf8")).message).toBe("said");
    closeSync(descriptor);
    rmSync(folder, { recursive: true });
  });
});
