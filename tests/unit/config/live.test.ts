// The configuration of a running server by itself: what a look at it shows before, while and after other sources are judged.

import { describe, expect, test } from "bun:test";
import { type ConfigSources, usableStored } from "../../../src/config/config";
import { createLiveConfig } from "../../../src/config/live";
import { BsoptError } from "../../../src/foundation/errors";

const sourcesOf = (text: string, more: Partial<ConfigSources> = {}): ConfigSources => ({
  flags: {},
  environment: {},
  file: { name: "bsopt.toml", text },
  ...more,
});

describe("S5.12 a configuration that is in use", () => {
  test("shows what was adopted through the same objects, and until then what was", () => {
    const live = createLiveConfig(sourcesOf("log_level = 'warn'"));
    const { http, log, limits } = live.config;
    const prepared = live.prepare(
      sourcesOf("log_level = 'debug'\ncors_origins = ['https://a.b']\nuser_limit = '7/min'"),
    );
    expect([log.level, http.corsOrigins, limits.user.perMinute]).toEqual(["warn", [], 100]);
    const heard: unknown[] = [];
    live.onChange((changed) => heard.push([...changed], log.level));
    prepared.adopt();
    expect([log.level, http.corsOrigins, limits.user.perMinute]).toEqual(["debug", ["https://a.b"], 7]);
    expect(heard).toEqual([["log_level", "cors_origins", "user_limit"], "debug"]);
  });

  test("keeps what may not change as it was at the start, also where what follows from it may", () => {
    const live = createLiveConfig(sourcesOf("port = 1\nhost = '127.0.0.1'"));
    expect(live.config.registration).toBe("open");
    live.prepare(sourcesOf("port = 2\nhost = '0.0.0.0'\nslow_request_ms = 5")).adopt();
    expect([live.config.http.port, live.config.http.host, live.config.registration]).toEqual([1, "127.0.0.1", "open"]);
    expect(live.config.log.slowRequestMilliseconds).toBe(5);
    expect(live.waiting).toEqual(["host", "port"]);
    expect(live.settled.find(({ key }) => key === "port")).toMatchObject({ value: 1, origin: "bsopt.toml: port" });
    live.prepare(sourcesOf("port = 1\nhost = '127.0.0.1'")).adopt();
    expect(live.waiting).toEqual([]);
  });

  test("tells nobody where nothing changes", () => {
    const live = createLiveConfig(sourcesOf("port = 1"));
    let count = 0;
    live.onChange(() => count++);
    live.prepare(sourcesOf("port = 2")).adopt();
    expect(count).toBe(0);
  });

  test("takes flags and environment before what was changed, that before the file, and of it only what may change", () => {
    const stored = { log_level: "error", slow_request_ms: 5, batch_rows_max: 6, port: 9 };
    const file = { name: "f", text: "slow_request_ms = 7\nbatch_rows_max = 8\nport = 10" };
    const live = createLiveConfig({
      flags: { log_level: "warn" },
      environment: { BSOPT_BATCH_ROWS_MAX: "4" },
      file,
      stored,
    });
    const of = (name: string) => live.settled.find(({ key }) => key === name);
    expect(of("log_level")).toMatchObject({ value: "warn", source: "flag" });
    expect(of("batch_rows_max")).toMatchObject({ value: 4, source: "environment" });
    expect(of("slow_request_ms")).toMatchObject({ value: 5, source: "database", origin: "database: slow_request_ms" });
    expect(of("port")).toMatchObject({ value: 10, source: "file" });
  });

  test("judges all sources and further rules at once, and changes nothing where one fault is found", () => {
    const live = createLiveConfig(sourcesOf(""));
    const checks = [{ key: "cors_origins" as const, faultsOf: () => ["must be less", "must be more"] }];
    const sources = sourcesOf("port = 'x'\ncors_origins = ['https://a.b']", { stored: { slow_request_ms: 0 } });
    let thrown: unknown;
    try {
      live.prepare(sources, checks);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(BsoptError);
    expect((thrown as BsoptError).faults.map(({ pointer }) => pointer)).toEqual([
      "bsopt.toml: port",
      "bsopt.toml: cors_origins",
      "bsopt.toml: cors_origins",
      "/slow_request_ms",
    ]);
    expect(live.config.http.corsOrigins).toEqual([]);
  });

  test("of what another executable left it uses what it knows, that fits and that may change", () => {
    expect(usableStored({ log_level: "debug", slow_request_ms: 0, port: 1, unheard: 2 })).toEqual({
      usable: { log_level: "debug" },
      unusable: ["slow_request_ms", "port", "unheard"],
    });
  });
});
