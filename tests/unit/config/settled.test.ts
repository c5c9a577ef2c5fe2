// What `bsopt config show` is made of: every setting with where it comes from, and no secret.

import { expect, test } from "bun:test";
import { settledSettings } from "../../../src/config/config";
import { environmentName, type Setting, settings } from "../../../src/config/settings";

const canaries: Record<string, string> = {
  smtp_url: "smtp://user:canary-one@mail.example:587",
  redis_url: "redis://user:canary-two@cache.example:6379",
};

test("S5.10 each setting names the source that won", () => {
  const settled = settledSettings({
    flags: { port: "1003" },
    environment: { BSOPT_PORT: "1002", BSOPT_LOG_LEVEL: "warn" },
    file: { name: "bsopt.toml", text: "host = '0.0.0.0'\nlog_level = 'debug'" },
  });
  const of = (key: string) => settled.find((setting) => setting.key === key);
  expect(settled.map(({ key }) => key as string)).toEqual(settings.map(({ key }) => key));
  expect(of("port")).toMatchObject({ value: 1003, origin: "--port" });
  expect(of("log_level")).toMatchObject({ value: "warn", origin: "BSOPT_LOG_LEVEL" });
  expect(of("host")).toMatchObject({ value: "0.0.0.0", origin: "bsopt.toml: host" });
  expect(of("drain_ms")).toMatchObject({ value: 500, origin: "default" });
  expect(of("backup_dir")).toMatchObject({ value: null, isSet: false });
});

test("S3.22 S5.10 a secret's value is in none of it, from whatever source", () => {
  const secrets = (settings as readonly Setting[]).filter(({ isSecret }) => isSecret);
  expect(secrets.length).toBeGreaterThanOrEqual(2);
  for (const setting of secrets) {
    const value = canaries[setting.key];
    if (value === undefined) continue;
    for (const sources of [
      { flags: { [setting.key]: value }, environment: {}, file: null },
      { flags: {}, environment: { [environmentName(setting)]: value }, file: null },
      { flags: {}, environment: {}, file: { name: "bsopt.toml", text: `${setting.key} = '${value}'` } },
    ]) {
      const settled = settledSettings(sources);
      expect(JSON.stringify(settled)).not.toContain("canary");
      expect(settled.find(({ key }) => key === setting.key)).toMatchObject({
        value: null,
        isSecret: true,
        isSet: true,
      });
    }
  }
});
