// Runs every request and command of the guides about pricing and keys, in their order, and holds the answers printed
// below them against the real ones. Where a guide prints "…" the value is another one each time; numbers may differ in
// their last digits, because a reader checks a guide by eye and the numerics have their own tests.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { root } from "../../build/fingerprint.mjs";
import type { CommandIo } from "../../src/commands/io";
import { keyCommand } from "../../src/commands/key";
import { runCommandLine } from "../../src/commands/run";
import { keysRoutes } from "../../src/features/keys";
import { pricingRoutes } from "../../src/features/pricing";
import { idempotencyOf, originOf, principalOf } from "../../src/http/request-context";
import { type TestServer, testServer } from "../harness/http";
import { type IdentityFixture, openIdentity } from "../harness/identity";
import { openPricing, pricingDependencies } from "../harness/pricing";

let fixture: IdentityFixture;
let server: TestServer;
let admin: string;
beforeAll(async () => {
  fixture = await openIdentity();
  const { pricing } = openPricing();
  server = testServer({
    features: [
      keysRoutes({ keys: fixture.keys, principalOf, originOf, idempotencyOf }),
      pricingRoutes(pricingDependencies(pricing)),
    ],
    authenticator: fixture.keys,
  });
  admin = (await fixture.keys.ensureFirstAdminKey(fixture.keyFile))!;
});
afterAll(async () => {
  await server.close();
  await fixture.close();
});

interface Block {
  readonly language: string;
  readonly text: string;
}

function blocksOf(guide: string): Block[] {
  const text = readFileSync(join(root, "docs/guides", guide), "utf8");
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((match) => ({ language: match[1]!, text: match[2]! }));
}

/** Header lines end in a blank one; a request without any begins with its body. */
function partsOf(lines: readonly string[]): { headers: Record<string, string>; body: string } {
  const end = lines.indexOf("");
  if (end < 0 || !/^[A-Z][A-Za-z-]*: /.test(lines[0]!)) return { headers: {}, body: lines.join("\n") };
  const headers = lines.slice(0, end).map((line) => line.split(": ") as [string, string]);
  return { headers: Object.fromEntries(headers), body: lines.slice(end + 1).join("\n") };
}

/** The cells of a CSV, those that are numbers as numbers. */
function cellsOf(text: string): (number | string)[][] {
  const cellOf = (cell: string) => (/^-?\d/.test(cell) ? Number(cell) : cell);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.split(",").map(cellOf));
}

/** Throws unless the real value is as printed. */
function hold(printed: unknown, real: unknown, where: string): void {
  if (printed === "…") {
    expect(`${where} ${typeof real}`).toBe(`${where} string`);
    return;
  }
  if (typeof printed === "number" && typeof real === "number") {
    // The attainable error is printed with three digits, everything else in full.
    const tolerance = where.includes("attainable_error") ? 5e-3 : 1e-12;
    if (printed === real || Math.abs(real / printed - 1) <= tolerance) return;
  }
  if (typeof printed !== "object" || printed === null || typeof real !== "object" || real === null) {
    expect(`${where} ${JSON.stringify(real)}`).toBe(`${where} ${JSON.stringify(printed)}`);
    return;
  }
  expect(`${where} ${Object.keys(real).sort()}`).toBe(`${where} ${Object.keys(printed).sort()}`);
  for (const [key, value] of Object.entries(printed)) {
    hold(value, (real as Record<string, unknown>)[key], `${where}/${key}`);
  }
}

describe.each(["pricing.md", "keys.md"])("S1.08 the guide %s", (guide) => {
  const blocks = blocksOf(guide);
  test("has requests, each with its answer", () => {
    const requests = blocks.filter((block) => block.language === "http");
    expect(requests.length).toBeGreaterThan(1);
    expect(blocks.filter((block) => ["json", "csv"].includes(block.language)).length).toBe(requests.length);
    expect(blocks.filter((block) => !["http", "json", "csv", "sh"].includes(block.language))).toEqual([]);
  });

  for (const [index, block] of blocks.entries()) {
    if (block.language === "http") {
      const [line, ...rest] = block.text.trim().split("\n");
      test(`${line} (block ${index}) is answered as printed`, async () => {
        fixture.clock.advance(1);
        const [method, path] = line!.split(" ");
        const { headers, body } = partsOf(rest);
        const answer = await server.call(method!, path!, { key: admin, headers, ...(body !== "" && { body }) });
        expect(Math.floor(answer.status / 100)).toBe(2);
        const { language, text } = blocks[index + 1]!;
        if (language === "json") hold(JSON.parse(text), answer.json, "");
        else hold(cellsOf(text), cellsOf(answer.text), "");
      });
    }
    if (block.language === "sh") {
      for (const line of block.text.trim().split("\n")) {
        test(`${line} runs`, async () => {
          const [program, ...argv] = line.split(" ");
          expect(program).toBe("bsopt");
          fixture.clock.advance(1);
          const real = await Promise.all(
            argv.map(async (word) => (word === "4fJ0aVb7QkXz" ? await newestKeyId() : word)),
          );
          expect(await runKeyCommand(real)).toBe(0);
        });
      }
    }
  }
});

async function newestKeyId(): Promise<string> {
  return (await fixture.keys.listKeys({ of: { kind: "everybody" }, limit: 1 })).data[0]!.id;
}

async function runKeyCommand(argv: readonly string[]): Promise<number> {
  const stream = { isTTY: false, columns: 120, write: async () => {} };
  const io: CommandIo = {
    stdout: stream,
    stderr: stream,
    stdin: async function* () {},
    readFile: async function* () {},
    writeFile: async () => {},
  };
  const openedHere = {
    identity: fixture.identity,
    keys: fixture.keys,
    keyFile: fixture.keyFile,
    close: async () => {},
  };
  const program = new Command("bsopt").addCommand(
    keyCommand({ io, environment: {}, openIdentity: async () => openedHere }),
  );
  return runCommandLine({ program, argv, io });
}
