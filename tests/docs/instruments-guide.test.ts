// Runs every request of the guide about instruments, in their order, on the whole application, and holds the answers printed below them against the
// real ones. Where the guide prints "…" the value is another one each time.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { canonicalSymbol } from "../../src/domain/instrument-symbol";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { startApp } from "../harness/app";
import { temporaryFolder, until } from "../harness/storage";

const guide = readFileSync(join(root, "docs/guides/instruments.md"), "utf8");
const blocks = [...guide.matchAll(/^```http\n([\s\S]*?)^```\n```json\n([\s\S]*?)^```$/gm)].map((match) => ({
  request: match[1]!.trimEnd(),
  answer: match[2]!,
}));

/** Begins on a short day of New York's, at noon there, and goes on with the machine's. */
const begun = systemClock.nowMicroseconds();
const clock: Clock = {
  ...systemClock,
  nowMicroseconds: () => 1_795_798_800_000_000n + systemClock.nowMicroseconds() - begun,
};

let app: Awaited<ReturnType<typeof startApp>>;
// Before the folder goes.
afterAll(() => app.stop());
const folder = temporaryFolder();
beforeAll(async () => {
  const environment = { BSOPT_MARKET_SIMULATE: "when_closed" };
  app = await startApp(folder, environment, undefined, undefined, undefined, clock);
  const ask = () => fetch(`${app.url}/api/v1/market/mode`, { headers: { "x-api-key": app.key } });
  await until("the mode was looked at", async () => ((await (await ask()).json()) as { mode: string }).mode === "live");
});

/** Throws unless the real value is as printed. */
function hold(printed: unknown, real: unknown, where: string): void {
  if (printed === "…") {
    expect([where, real !== undefined && real !== null]).toEqual([where, true]);
    return;
  }
  if (typeof printed !== "object" || printed === null || typeof real !== "object" || real === null) {
    expect([where, real]).toEqual([where, printed]);
    return;
  }
  expect([where, Object.keys(real).sort()]).toEqual([where, Object.keys(printed).sort()]);
  for (const [key, value] of Object.entries(printed)) hold(value, Reflect.get(real, key), `${where}/${key}`);
}

describe("S4.39 the guide of instruments", () => {
  test("has its requests", () => {
    expect(blocks).toHaveLength(5);
    expect(guide.match(/^```/gm)).toHaveLength(20);
  });

  for (const { request, answer } of blocks) {
    const [line, ...rest] = request.split("\n");
    test(`${line} is answered as printed`, async () => {
      const [method, path] = line!.split(" ") as [string, string];
      const end = rest.indexOf("");
      const headers = rest.slice(0, Math.max(0, end)).map((header) => header.split(": ") as [string, string]);
      const body = end < 0 ? null : rest.slice(end + 1).join("\n");
      const response = await fetch(app.url + path, {
        method,
        headers: { "x-api-key": app.key, "content-type": "application/json", ...lowered(headers) },
        ...(body !== null && { body }),
      });
      hold(JSON.parse(answer), await response.json(), "");
      expect(response.status).toBe(200);
    });
  }

  test("S4.39 names only spellings that are read as the canonical ones beside them", () => {
    const rows = [...guide.matchAll(/^\| (?:US|Deribit|NSE)[^|]*\|([^|]+)\|([^|]+)\|$/gm)];
    expect(rows).toHaveLength(4);
    for (const [, canonical, others] of rows) {
      const names = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
      const known = names(canonical!);
      for (const name of known) expect(canonicalSymbol(name)).toEqual({ symbol: name });
      for (const name of names(others!)) {
        const read = canonicalSymbol(name);
        expect([name, "symbol" in read && known.includes(read.symbol)]).toEqual([name, true]);
      }
    }
  });
});

function lowered(headers: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
}
