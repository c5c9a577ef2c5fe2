// `bsopt key` in this process on a real database in a temporary folder: what stands on which stream, what a script
// can rely on, and what wrong usage says.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Command } from "commander";
import type { CommandIo } from "../../../src/commands/io";
import { keyCommand } from "../../../src/commands/key";
import { runCommandLine } from "../../../src/commands/run";
import type { Config } from "../../../src/config/config";
import { BsoptError } from "../../../src/foundation/errors";
import { type IdentityFixture, openIdentity } from "../../harness/identity";

let fixture: IdentityFixture;
let opened: Config[];
beforeEach(async () => {
  fixture = await openIdentity();
  opened = [];
});
afterEach(() => fixture.close());

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: "", err: "" };
  const streamOf = (name: "out" | "err") => ({
    isTTY: false,
    columns: 120,
    write: async (chunk: string | Uint8Array) => {
      said[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    },
  });
  const io: CommandIo = {
    stdout: streamOf("out"),
    stderr: streamOf("err"),
    stdin: async function* () {},
    readFile: () => {
      throw new BsoptError({ reason: "not-found", code: "FILE_NOT_FOUND", detail: "no such file" });
    },
    writeFile: async () => {},
  };
  const key = keyCommand({
    io,
    environment: {},
    openIdentity: async (config) => {
      opened.push(config);
      return { identity: fixture.identity, keys: fixture.keys, keyFile: fixture.keyFile, close: async () => {} };
    },
  });
  const code = await runCommandLine({ program: new Command("bsopt").addCommand(key), argv: ["key", ...argv], io });
  return { code, ...said };
}

const admit = (apiKey: string) => fixture.keys.authenticate({ apiKey, peerAddress: "127.0.0.1" });

describe("S1.08 key create", () => {
  test("prints the secret alone on standard output, and it opens what was asked for", async () => {
    await fixture.keys.ensureFirstAdminKey(fixture.keyFile);
    const { code, out, err } = await run(
      "create",
      "--name",
      "bot",
      "--scopes",
      "pricing:read,market:read",
      "--rate-class",
      "bot",
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^bso_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}\n$/);
    expect(err).not.toContain(out.trim());
    const principal = await admit(out.trim());
    expect([...principal.permissions]).toEqual(["pricing:read", "market:read"]);
    expect(principal.rateClass).toBe("bot");
  });

  test("on an empty folder makes the administrator's key first, in its file", async () => {
    const { code, out, err } = await run("create", "--name", "bot", "--scopes", "pricing:read");
    expect(code).toBe(0);
    expect(err).toContain("admin-api-key");
    const adminText = fixture.keyFile.read()!;
    expect(adminText).not.toBe(out.trim());
    expect(err).not.toContain(adminText);
    expect((await admit(adminText)).permissions.has("admin")).toBe(true);
    expect(await fixture.keys.ensureFirstAdminKey(fixture.keyFile)).toBeNull();
  });

  test("with every flag and --json prints the whole key as JSON", async () => {
    const { code, out } = await run(
      ...["create", "--name", "night batch", "--scopes", "pricing:read, market:read", "--json"],
      ...[
        "--expires",
        "2099-01-01T00:00:00+01:00",
        "--ip-allow",
        "10.0.0.0/8, 2001:db8::/32",
        "--rate-class",
        "unlimited",
      ],
    );
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      name: "night batch",
      scopes: ["pricing:read", "market:read"],
      rate_class: "unlimited",
      expires_at: "2098-12-31T23:00:00.000000Z",
      ip_allow: ["10.0.0.0/8", "2001:db8::/32"],
      created_by_key_id: null,
    });
  });

  const wrong: readonly (readonly [string, readonly string[], number, string])[] = [
    ["no name", ["--scopes", "admin"], 2, "--name"],
    ["an empty name", ["--name", "", "--scopes", "admin"], 2, "--name"],
    ["a control character in the name", ["--name", "a\u001b[31m", "--scopes", "admin"], 2, "--name"],
    ["no scopes", ["--name", "x"], 2, "--scopes"],
    ["an unknown scope", ["--name", "x", "--scopes", "pricing:read,root"], 2, "pricing:read, market:read"],
    ["a scope twice", ["--name", "x", "--scopes", "admin,admin"], 2, "--scopes"],
    ["an empty scope", ["--name", "x", "--scopes", "admin,"], 2, "--scopes"],
    ["an unknown class", ["--name", "x", "--scopes", "admin", "--rate-class", "fast"], 2, "--rate-class"],
    ["an expiry far too long", ["--name", "x", "--scopes", "admin", "--expires", "x".repeat(50)], 2, "--expires"],
    ["an empty address", ["--name", "x", "--scopes", "admin", "--ip-allow", ""], 2, "--ip-allow"],
    ["an unknown flag", ["--name", "x", "--scopes", "admin", "--colour", "red"], 2, "--colour"],
    ["an argument too many", ["--name", "x", "--scopes", "admin", "more"], 2, "too many arguments"],
    ["a bare date", ["--name", "x", "--scopes", "admin", "--expires", "2099-01-01"], 1, "bare date"],
    ["an expiry gone by", ["--name", "x", "--scopes", "admin", "--expires", "2001-01-01T00:00:00Z"], 1, "future"],
    ["an address that is none", ["--name", "x", "--scopes", "admin", "--ip-allow", "10.0.0.1/8"], 1, "CIDR"],
  ];
  for (const [title, argv, code, words] of wrong) {
    test(`with ${title} ends with ${code} and says why, with nothing on standard output`, async () => {
      const outcome = await run("create", ...argv);
      expect(outcome.code).toBe(code);
      expect(outcome.err).toContain(words);
      expect(outcome.out).toBe("");
      const { data } = await fixture.keys.listKeys({ of: { kind: "everybody" }, limit: 10 });
      expect(data.map((key) => key.name)).not.toContain("x");
    });
  }
});

describe("S1.08 key list", () => {
  test("on an empty database prints the header alone, and an empty list as JSON", async () => {
    expect((await run("list")).out).toBe("id  name  scopes  rate class  state  created  last used\n");
    expect(JSON.parse((await run("list", "--json")).out)).toEqual({ data: [] });
  });

  test("shows every key of every page, and no secret", async () => {
    await fixture.keys.ensureFirstAdminKey(fixture.keyFile);
    const secrets: string[] = [];
    for (let index = 0; index < 201; index++) {
      const made = await fixture.keys.createKey({
        maker: { kind: "operator" },
        request: { name: `key ${index}`, scopes: ["pricing:read"] },
      });
      secrets.push(made.secret!.split("_")[2]!);
    }
    const { code, out } = await run("list");
    expect(code).toBe(0);
    expect(out.trimEnd().split("\n").length).toBe(1 + 202);
    for (const secret of secrets) expect(out).not.toContain(secret);
    const { data } = JSON.parse((await run("list", "--json")).out);
    expect(data.length).toBe(202);
    expect(Object.keys(data[0])).not.toContain("secret");
    expect(Object.keys(data[0])).not.toContain("secret_hash");
  });

  test("says of each key whether it lives, until when, and that it is revoked", async () => {
    await run("create", "--name", "old", "--scopes", "pricing:read");
    await run("create", "--name", "brief", "--scopes", "pricing:read", "--expires", "2099-01-01T00:00:00Z");
    const { data } = JSON.parse((await run("list", "--json")).out);
    await run("revoke", data.find((key: { name: string }) => key.name === "old").id);
    const { out } = await run("list");
    expect(out).toMatch(/first administrator .* unlimited {3}lives /);
    expect(out).toMatch(/brief .*until 2099-01-01T00:00:00.000000Z/);
    expect(out).toMatch(/old .*revoked 2025-06-15T15:06:40.000000Z/);
  });
});

describe("S1.08 key revoke", () => {
  test("ends the key at once, prints nothing on standard output, and says which keys go on", async () => {
    const adminText = (await fixture.keys.ensureFirstAdminKey(fixture.keyFile))!;
    const principal = await admit(adminText);
    const maker = { kind: "principal", principal } as const;
    await fixture.keys.createKey({ maker, request: { name: "child", scopes: ["pricing:read"] } });
    const { code, out, err } = await run("revoke", principal.credential.id);
    expect(code).toBe(0);
    expect(out).toBe("");
    expect(err).toContain(principal.credential.id);
    expect(err).toContain("1 key that it made still work");
    await expect((async () => admit(adminText))()).rejects.toThrow("revoked");
  });

  test("of a key that is not there fails in words", async () => {
    expect(await run("revoke", "nobody000000")).toEqual({
      code: 1,
      out: "",
      err: "error: There is no such API key.\n",
    });
  });

  test("of a secret is wrong usage, and the secret is not repeated", async () => {
    const secret = `bso_abcdefghijkl_${"s".repeat(43)}`;
    const { code, err } = await run("revoke", secret);
    expect(code).toBe(2);
    expect(err).not.toContain("sss");
  });

  test("without an id is wrong usage", async () => expect((await run("revoke")).code).toBe(2));
});

test("S2.39 every subcommand takes the folder of the data and refuses a wrong setting before opening anything", async () => {
  for (const argv of [["list"], ["revoke", "x"], ["create", "--name", "x", "--scopes", "admin"]]) {
    opened = [];
    expect((await run(...argv, "--data-dir", "/srv/elsewhere")).code).toBeLessThanOrEqual(1);
    expect(opened[0]!.storage.dataDirectory).toBe("/srv/elsewhere");
    opened = [];
    expect((await run(...argv, "--database-url", "nonsense:")).code).toBe(2);
    expect(opened).toEqual([]);
  }
});
