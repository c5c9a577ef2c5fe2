// Settings from flags, environment and file: who wins, what is refused, and that every fault is told at once.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type ConfigSources, loadConfig } from "../../../src/config/config";
import { environmentName, flagName, settings } from "../../../src/config/settings";
import { BsoptError } from "../../../src/foundation/errors";
import { parseDatabaseAddress, parseDatabaseUrl } from "../../../src/storage/location";

const nothing: ConfigSources = { flags: {}, environment: {}, file: null };

function faultsOf(sources: Partial<ConfigSources>): string[] {
  try {
    loadConfig({ ...nothing, ...sources });
  } catch (error) {
    if (error instanceof BsoptError)
      return error.faults.map(({ pointer, code, detail }) => `${pointer} ${code} ${detail}`);
    throw error;
  }
  return [];
}

describe("configuration", () => {
  test("S5.10 nothing given yields the documented defaults, frozen", () => {
    const config = loadConfig(nothing);
    expect(config.http.host).toBe("127.0.0.1");
    expect(config.http.port).toBe(8080);
    expect(config.storage).toEqual({
      dataDirectory: "./bsopt-data",
      databaseUrl: "file:./bsopt-data/bsopt.db",
      backups: null,
      objectStore: { endpoint: null, region: "us-east-1", accessKeyId: null, secretAccessKey: null },
      databaseServer: { authToken: null, durability: { adminUrl: null, allowsRelaxed: false } },
    });
    expect(Object.isFrozen(config) && Object.isFrozen(config.http) && Object.isFrozen(config.http.allowedHosts)).toBe(
      true,
    );
  });

  test("a flag beats the environment, which beats the file, which beats the default", () => {
    const file = { name: "bsopt.toml", text: "port = 1001\nlog_level = 'debug'\nhost = '0.0.0.0'" };
    const config = loadConfig({
      flags: { port: "1003" },
      environment: { BSOPT_PORT: "1002", BSOPT_LOG_LEVEL: "warn" },
      file,
    });
    expect([config.http.port, config.log.level, config.http.host]).toEqual([1003, "warn", "0.0.0.0"]);
  });

  test("an empty variable counts as not set", () => {
    expect(loadConfig({ ...nothing, environment: { BSOPT_PORT: "" } }).http.port).toBe(8080);
  });

  test("lists come as text with commas, or as TOML arrays, in lower case where they are host names", () => {
    const fromEnvironment = loadConfig({
      ...nothing,
      environment: { BSOPT_ALLOWED_HOSTS: "Desk.Example, 10.0.0.1,[::1]" },
    });
    expect(fromEnvironment.http.allowedHosts).toEqual(["desk.example", "10.0.0.1", "[::1]"]);
    const fromFile = loadConfig({
      ...nothing,
      file: { name: "bsopt.toml", text: 'cors_origins = ["https://a.example"]' },
    });
    expect(fromFile.http.corsOrigins).toEqual(["https://a.example"]);
  });

  test("the file of calendars is none unless it is named", () => {
    expect(loadConfig(nothing).pricing.calendarsFile).toBeNull();
    const named = loadConfig({
      ...nothing,
      flags: { calendars: "a.toml" },
      environment: { BSOPT_CALENDARS: "b.json" },
    });
    expect(named.pricing.calendarsFile).toBe("a.toml");
    expect(faultsOf({ environment: { BSOPT_CALENDARS: "x".repeat(5000) } })).toEqual([
      "BSOPT_CALENDARS SETTING_INVALID must be the path of a file",
    ]);
  });

  test("the database stands in the data folder unless it has a URL of its own", () => {
    expect(loadConfig({ ...nothing, environment: { BSOPT_DATA_DIR: "/var/lib/bsopt/" } }).storage.databaseUrl).toBe(
      "file:/var/lib/bsopt/bsopt.db",
    );
    expect(loadConfig({ ...nothing, environment: { BSOPT_DATABASE_URL: "file:/x.db" } }).storage.databaseUrl).toBe(
      "file:/x.db",
    );
  });

  test.each(["file:a.db", "file:./a/b.db", "file:/a b/%20#.db", "file:///a.db", "file://localhost/a.db"])(
    "the database address %s is taken",
    (databaseUrl) => {
      const config = loadConfig({ ...nothing, environment: { BSOPT_DATABASE_URL: databaseUrl } });
      expect(config.storage.databaseUrl).toBe(databaseUrl);
      expect(() => parseDatabaseUrl(databaseUrl)).not.toThrow();
    },
  );

  test.each([
    "http://127.0.0.1:8080",
    "https://db.example.com",
    "libsql://db.example.com/dev/options",
    "http://[::1]:80/",
  ])("the database server's address %s is taken", (databaseUrl) => {
    const config = loadConfig({ ...nothing, environment: { BSOPT_DATABASE_URL: databaseUrl } });
    expect(config.storage.databaseUrl).toBe(databaseUrl);
    expect(parseDatabaseAddress(databaseUrl).kind).toBe("server");
  });

  test("S5.10 what a database server is given comes from settings, and its token is a secret", () => {
    const { databaseServer } = loadConfig({
      ...nothing,
      environment: {
        BSOPT_DATABASE_URL: "https://db.example.com",
        BSOPT_DATABASE_AUTH_TOKEN: "eyJ.token",
        BSOPT_DATABASE_ADMIN_URL: "http://127.0.0.1:8081",
        BSOPT_DATABASE_DURABILITY: "relaxed",
      },
    }).storage;
    expect(databaseServer).toEqual({
      authToken: "eyJ.token",
      durability: { adminUrl: "http://127.0.0.1:8081", allowsRelaxed: true },
    });
    expect(settings.find(({ key }) => key === "database_auth_token")).toMatchObject({ isSecret: true });
  });

  const databaseFault =
    "BSOPT_DATABASE_URL SETTING_INVALID must be file:PATH, the path of a file on this machine without parameters, or the address of a libSQL server without user and parameters";
  const wrong: { name: string; environment: Record<string, string>; fault: string }[] = [
    {
      name: "a port in words",
      environment: { BSOPT_PORT: "eighty" },
      fault: "BSOPT_PORT SETTING_INVALID must be a whole number from 0 to 65535",
    },
    {
      name: "a port past the last",
      environment: { BSOPT_PORT: "65536" },
      fault: "BSOPT_PORT SETTING_INVALID must be a whole number from 0 to 65535",
    },
    {
      name: "a port with a fraction",
      environment: { BSOPT_PORT: "80.5" },
      fault: "BSOPT_PORT SETTING_INVALID must be a whole number from 0 to 65535",
    },
    {
      name: "an unknown level",
      environment: { BSOPT_LOG_LEVEL: "loud" },
      fault: "BSOPT_LOG_LEVEL SETTING_INVALID must be debug, info, warn or error",
    },
    {
      name: "a database of another kind",
      environment: { BSOPT_DATABASE_URL: "postgres://x" },
      fault: databaseFault,
    },
    { name: "a database in memory", environment: { BSOPT_DATABASE_URL: "file::memory:" }, fault: databaseFault },
    { name: "a database with parameters", environment: { BSOPT_DATABASE_URL: "file:a?mode=ro" }, fault: databaseFault },
    { name: "a database elsewhere", environment: { BSOPT_DATABASE_URL: "file://there/a.db" }, fault: databaseFault },
    { name: "a folder for a database", environment: { BSOPT_DATABASE_URL: "file:/a/" }, fault: databaseFault },
    { name: "a database without a name", environment: { BSOPT_DATABASE_URL: "file: " }, fault: databaseFault },
    {
      name: "a data folder with a question mark",
      environment: { BSOPT_DATA_DIR: "./what?" },
      fault: "BSOPT_DATA_DIR SETTING_INVALID must be the path of a folder, without a question mark",
    },
    {
      name: "a wildcard origin",
      environment: { BSOPT_CORS_ORIGINS: "*" },
      fault:
        "BSOPT_CORS_ORIGINS SETTING_INVALID must be origins such as https://desk.example, separated by commas, without * or a path",
    },
    {
      name: "a host with a port",
      environment: { BSOPT_ALLOWED_HOSTS: "a:80" },
      fault: "BSOPT_ALLOWED_HOSTS SETTING_INVALID must be host names without port, separated by commas",
    },
    {
      name: "a misspelt name",
      environment: { BSOPT_ALOWED_HOSTS: "a" },
      fault: "BSOPT_ALOWED_HOSTS SETTING_UNKNOWN is not a setting; did you mean BSOPT_ALLOWED_HOSTS?",
    },
    {
      name: "a name like no other",
      environment: { BSOPT_XYZZY_PLUGH: "a" },
      fault: "BSOPT_XYZZY_PLUGH SETTING_UNKNOWN is not a setting",
    },
  ];
  test.each(wrong)("S2.39 S5.10 $name is refused with its name and rule", ({ environment, fault }) => {
    expect(faultsOf({ environment })).toEqual([fault]);
  });

  test("S2.39 every fault is listed at once, whatever its source", () => {
    const faults = faultsOf({
      flags: { port: "-1" },
      environment: { BSOPT_LOG_LEVEL: "loud", BSOPT_PROT: "1" },
      file: { name: "bsopt.toml", text: "batch_rows_max = 0\nhots = 'a'\nhost = 5" },
    });
    expect(faults.map((fault) => fault.split(" ")[0])).toEqual([
      "BSOPT_PROT",
      "bsopt.toml:",
      "bsopt.toml:",
      "--port",
      "BSOPT_LOG_LEVEL",
      "bsopt.toml:",
    ]);
  });

  test.each([
    ["127.0.0.1", "open"],
    ["127.0.9.9", "open"],
    ["localhost", "open"],
    ["LOCALHOST", "open"],
    ["::1", "open"],
    ["0.0.0.0", "closed"],
    ["::", "closed"],
    ["10.0.0.1", "closed"],
    ["127.0.0.1.example", "closed"],
    ["localhost.example", "closed"],
  ] as const)("S1.01 listening on %s, registration is %s unless it is said", (host, registration) => {
    expect(loadConfig({ ...nothing, environment: { BSOPT_HOST: host } }).registration).toBe(registration);
    expect(
      loadConfig({ ...nothing, environment: { BSOPT_HOST: host, BSOPT_REGISTRATION: "invite" } }).registration,
    ).toBe("invite");
  });

  test("S1.02 without settings mails become files, from nobody in particular, with links to where it listens", () => {
    const { mail, publicUrl } = loadConfig(nothing);
    expect({ mail, publicUrl }).toEqual({ mail: { smtpUrl: null, from: "bsopt <bsopt@localhost>" }, publicUrl: null });
  });

  test.each([
    ["https://bsopt.example", "https://bsopt.example"],
    ["https://bsopt.example/", "https://bsopt.example"],
    ["http://10.0.0.1:8080/desk/", "http://10.0.0.1:8080/desk"],
  ])("S1.02 the public address %s makes links under %s", (given, publicUrl) => {
    expect(loadConfig({ ...nothing, environment: { BSOPT_PUBLIC_URL: given } }).publicUrl).toBe(publicUrl);
  });

  test.each([
    ["BSOPT_PUBLIC_URL", "bsopt.example"],
    ["BSOPT_PUBLIC_URL", "javascript://x"],
    ["BSOPT_PUBLIC_URL", "https://user:hidden-secret@bsopt.example"],
    ["BSOPT_PUBLIC_URL", "https://bsopt.example?x=1"],
    ["BSOPT_PUBLIC_URL", "https://bsopt.example\nBcc: eve@example.org"],
    ["BSOPT_REGISTRATION", "anyone"],
    ["BSOPT_SMTP_URL", "mail.example:25"],
    ["BSOPT_SMTP_URL", "smtp://user:hidden-secret@"],
    ["BSOPT_SMTP_URL", "smtps://user:hidden-secret@mail.example?tls=off"],
    ["BSOPT_SMTP_URL", "smtp://user:hidden secret@mail.example"],
    ["BSOPT_MAIL_FROM", "desk"],
    ["BSOPT_MAIL_FROM", "desk@bsopt.example\r\nBcc: eve@example.org"],
  ])("S1.02 S4.55 %s=%p is a fault that does not repeat it", (name, value) => {
    const faults = faultsOf({ environment: { [name]: value } }).join("\n");
    expect(faults).toContain(name);
    expect(faults).not.toContain("hidden");
  });

  test("S5.10 a file that is not TOML is one fault, and the rest is still checked", () => {
    expect(
      faultsOf({ environment: { BSOPT_PORT: "x" }, file: { name: "bsopt.toml", text: "port = = 1" } }),
    ).toHaveLength(2);
  });

  test("S4.55 a wrong value is never repeated in the message", () => {
    expect(faultsOf({ environment: { BSOPT_DATABASE_URL: "libsql://user:hunter2@x" } }).join()).not.toContain(
      "hunter2",
    );
  });

  test("S4.72 keys are honoured unless it is said, which production refuses, whatever says it", () => {
    expect(loadConfig(nothing).keys.isEnabled).toBe(true);
    const off = { BSOPT_API_KEYS_ENABLED: "false" };
    for (const environment of ["test", "development"]) {
      const config = loadConfig({ ...nothing, environment: { ...off, BSOPT_ENVIRONMENT: environment } });
      expect(config.keys.isEnabled).toBe(false);
    }
    const fault =
      "api_keys_enabled SETTING_INVALID must be true where environment is production: without keys no bot comes in";
    expect(faultsOf({ environment: off })).toEqual([fault]);
    expect(faultsOf({ flags: { api_keys_enabled: "false", environment: "production" } })).toEqual([fault]);
    expect(faultsOf({ file: { name: "bsopt.toml", text: "api_keys_enabled = false" } })).toEqual([fault]);
    expect(faultsOf({ environment: { ...off, BSOPT_ENVIRONMENT: "test" }, flags: { api_keys_enabled: "no" } })).toEqual(
      ["--api-keys-enabled SETTING_INVALID must be true or false"],
    );
  });

  test("variables of the project's own tests are not taken for settings", () => {
    expect(faultsOf({ environment: { BSOPT_TEST_DATA: "/x", PATH: "/bin" } })).toEqual([]);
  });
});

describe("the table of settings", () => {
  test("each default passes its own schema, and names are unique", () => {
    expect(new Set(settings.map(({ key }) => key)).size).toBe(settings.length);
    expect(loadConfig(nothing)).toBeDefined();
  });

  test("names follow from the key", () => {
    const dataDir = settings.find(({ key }) => key === "data_dir")!;
    expect([environmentName(dataDir), flagName(dataDir)]).toEqual(["BSOPT_DATA_DIR", "--data-dir"]);
  });

  test("every setting is read by config.ts", () => {
    const reader = ["config", "market-settings", "feed-settings"]
      .map((name) => readFileSync(new URL(`../../../src/config/${name}.ts`, import.meta.url), "utf8"))
      .join();
    expect(settings.filter(({ key }) => !reader.includes(`("${key}")`)).map(({ key }) => key)).toEqual([]);
  });
});
