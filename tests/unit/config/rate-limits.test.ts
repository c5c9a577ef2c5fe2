// Settings of limits: how paces are written, what they are without any setting, and what is refused at the start.

import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../../src/config/config";
import { parseEndpointLimit, parseRate } from "../../../src/config/rate-limits";
import { settings } from "../../../src/config/settings";
import { BsoptError } from "../../../src/foundation/errors";

const load = (environment: Record<string, string>, text = "") =>
  loadConfig({ flags: {}, environment, file: { name: "bsopt.toml", text } });

describe("S2.27 S2.28 S2.29 paces", () => {
  test.each([
    ["100/min burst 10", { perMinute: 100, burst: 10 }],
    ["50/min", { perMinute: 50, burst: 5 }],
    ["5/min", { perMinute: 5, burst: 1 }],
    ["11/min", { perMinute: 11, burst: 2 }],
    ["9999999/min burst 9999999", { perMinute: 9_999_999, burst: 9_999_999 }],
    ["0/min", null],
    ["100", null],
    ["100/min burst 0", null],
    ["-1/min", null],
    ["1.5/min", null],
    ["1e3/min", null],
    ["100/sec", null],
    ["10000000/min", null],
    [" 100/min", null],
    ["100/min burst 10 ", null],
    ["", null],
  ])("%s", (text, rate) => {
    expect(parseRate(text)).toEqual(rate);
  });

  test.each([
    [
      "POST /api/v1/orders=10/min burst 2",
      { method: "POST", path: "/api/v1/orders", isPrefix: false, isEnabled: true },
    ],
    ["/api/v1/positions=50/min", { method: null, path: "/api/v1/positions", isPrefix: false, isEnabled: true }],
    ["GET /api/v1/*=50/min off", { method: "GET", path: "/api/v1/", isPrefix: true, isEnabled: false }],
    [
      "DELETE /api/v1/api-keys/:id=1/min",
      { method: "DELETE", path: "/api/v1/api-keys/:id", isPrefix: false, isEnabled: true },
    ],
    ["get /a=1/min", null],
    ["HEAD /a=1/min", null],
    ["a=1/min", null],
    ["/a*b=1/min", null],
    ["/a", null],
    ["/a=", null],
    ["/a=1/min on", null],
    ["/a?b=1/min", null],
  ])("%s", (text, limit) => {
    const parsed = parseEndpointLimit(text);
    if (limit === null) expect(parsed).toBeNull();
    else expect(parsed).toMatchObject(limit);
  });

  test("without settings: 1000 a minute and 100 at once an address, 100 and 10 a user, no Redis, nobody trusted", () => {
    const { limits, http } = load({});
    // What costs a slow hash or a mail has a pace of its own.
    const slow = { method: "POST", isEnabled: true, rate: { perMinute: 10, burst: 20 } };
    expect(limits).toEqual({
      isEnabled: true,
      address: { perMinute: 1000, burst: 100 },
      user: { perMinute: 100, burst: 10 },
      bot: { perMinute: 6000, burst: 600 },
      endpoints: [
        { ...slow, path: "/api/v1/auth/register", isPrefix: false },
        { ...slow, path: "/api/v1/auth/resend-verification", isPrefix: false },
        { ...slow, path: "/api/v1/auth/password", isPrefix: true },
      ],
      fallback: "local",
      redisUrl: null,
    });
    expect(http.trustedProxies).toEqual([]);
  });

  test("from the environment and from the file", () => {
    const limits = ["POST /a=10/min burst 2", "/b=50/min"];
    const fromFile = load({}, `endpoint_limits = ${JSON.stringify(limits)}\nrate_limits = "off"`).limits;
    const fromEnvironment = load({ BSOPT_ENDPOINT_LIMITS: limits.join(", "), BSOPT_RATE_LIMITS: "off" }).limits;
    expect(fromFile).toEqual(fromEnvironment);
    expect(fromFile).toMatchObject({
      isEnabled: false,
      endpoints: [{ rate: { perMinute: 10, burst: 2 } }, { rate: { burst: 5 } }],
    });
  });

  test.each([
    ["BSOPT_RATE_LIMITS", "yes"],
    ["BSOPT_USER_LIMIT", "100"],
    ["BSOPT_ADDRESS_LIMIT", "0/min"],
    ["BSOPT_BOT_LIMIT", "many"],
    ["BSOPT_ENDPOINT_LIMITS", "/a=1/min, /b"],
    ["BSOPT_LIMITS_FALLBACK", "open"],
    ["BSOPT_REDIS_URL", "http://127.0.0.1:6379"],
    ["BSOPT_REDIS_URL", "redis://127.0.0.1:6379/hunter2"],
    ["BSOPT_REDIS_URL", "redis://127.0.0.1:6379/1?x=1"],
    ["BSOPT_TRUSTED_PROXIES", "proxy.example"],
    ["BSOPT_TRUSTED_PROXIES", "10.0.0.0/8, *"],
  ])("%s=%s stops the start, and the value is not told", (name, value) => {
    let thrown: unknown;
    try {
      load({ [name]: value });
    } catch (error) {
      thrown = error;
    }
    expect(thrown instanceof BsoptError && thrown.faults.map(({ pointer }) => pointer)).toEqual([name]);
    expect(JSON.stringify((thrown as BsoptError).faults)).not.toContain("hunter2");
  });

  test("Redis's address is a secret", () => {
    expect(settings.find(({ key }) => key === "redis_url")).toMatchObject({ isSecret: true });
    expect(load({ BSOPT_REDIS_URL: "redis://me:pass@127.0.0.1:6379/3" }).limits.redisUrl).toBe(
      "redis://me:pass@127.0.0.1:6379/3",
    );
  });
});
