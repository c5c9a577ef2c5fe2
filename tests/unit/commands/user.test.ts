// `bsopt user` as somebody types it, on a real database in a temporary folder, with real hashes: what is made, what is printed where, with
// which exit code, and that no password stands anywhere.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { root } from "../../../build/fingerprint.mjs";
import { openIdentity } from "../../../src/app";
import type { CommandIo } from "../../../src/commands/io";
import { runCommandLine } from "../../../src/commands/run";
import { userCommand } from "../../../src/commands/user";
import { loadConfig } from "../../../src/config/config";
import { systemClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { silentLog } from "../../../src/foundation/log";
import { systemRandom } from "../../../src/foundation/random";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bsopt-user-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const environment = () => ({ BSOPT_DATA_DIR: folder });
const open = () =>
  openIdentity({
    config: loadConfig({ flags: {}, environment: environment(), file: null }),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** One command line; `typed` are the answers to questions on the terminal, without which there is none. */
async function run(argv: readonly string[], input: { piped?: string; typed?: readonly string[] } = {}): Promise<Said> {
  const said = { out: "", err: "" };
  const streamOf = (name: "out" | "err") => ({
    isTTY: false,
    columns: 120,
    write: async (chunk: string | Uint8Array) => {
      said[name] += typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk);
    },
  });
  const answers = [...(input.typed ?? [])];
  const io: CommandIo = {
    stdout: streamOf("out"),
    stderr: streamOf("err"),
    stdin: async function* () {
      yield new TextEncoder().encode(input.piped ?? "");
    },
    readFile: () => {
      throw new BsoptError({ reason: "not-found", code: "FILE_NOT_FOUND", detail: "no such file" });
    },
    writeFile: async () => {},
    ...(input.typed && { askSecret: async () => answers.shift()! }),
  };
  const user = userCommand({ io, environment: environment(), openIdentity: open });
  const code = await runCommandLine({ program: new Command("bsopt").addCommand(user), argv: ["user", ...argv], io });
  return { code, ...said };
}

const password = "staple battery horse";
const create = (...more: readonly string[]) =>
  run(["create", "--email", "Ada@Example.org", "--password-stdin", ...more], { piped: `${password}\n` });

async function opened<T>(act: (people: Awaited<ReturnType<typeof open>>) => Promise<T>): Promise<T> {
  const people = await open();
  try {
    return await act(people);
  } finally {
    await people.close();
  }
}
const found = () => opened(({ identity }) => identity.findUserByEmail("ada@example.org"));

describe("S1.01 user create", () => {
  test("prints the id alone; the password then opens the account, and stands nowhere", async () => {
    const { code, out, err } = await create("--role", "trader", "--verified", "--name", "Ada Lovelace");
    expect(code).toBe(0);
    const user = (await found())!;
    expect(out).toBe(`${user.id}\n`);
    expect(err).toContain('made trader "Ada Lovelace"');
    expect(user).toMatchObject({ email: "ada@example.org", name: "Ada Lovelace", role: "trader" });
    expect(user.emailVerifiedAt).not.toBeNull();
    await opened(async ({ registration }) => {
      expect((await registration.checkPassword("ada@example.org", password))?.id).toBe(user.id);
      expect(await registration.checkPassword("ada@example.org", `${password}!`)).toBeNull();
    });
    expect(out + err).not.toContain(password);
    for (const name of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (name.isFile()) expect(readFileSync(join(name.parentPath, name.name)).includes(password)).toBe(false);
    }
  });

  test("asks for the password twice on a terminal, and shows the user as JSON where that is wanted", async () => {
    const { code, out } = await run(["create", "--email", "ada@example.org", "--json"], {
      typed: [password, password],
    });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ name: "ada", role: "viewer", email_verified_at: null, disabled_at: null });
    await opened(async ({ registration }) => {
      expect(await registration.checkPassword("ada@example.org", password)).not.toBeNull();
    });
  });

  test("makes the first administrator's key beside it in a new folder, once", async () => {
    expect((await create()).err).toContain("admin-api-key");
    expect(readdirSync(folder)).toContain("admin-api-key");
    const again = await create();
    expect([again.code, again.err]).toEqual([1, "error: There is a user with this address.\n"]);
  });

  const refused: readonly (readonly [
    string,
    readonly string[],
    { piped?: string; typed?: string[] },
    number,
    string,
  ])[] = [
    ["no address", ["--password-stdin"], { piped: password }, 2, "--email"],
    ["an address that is none", ["--email", "ada", "--password-stdin"], { piped: password }, 1, "mail address"],
    [
      "an address of control characters",
      ["--email", "a\nb@x.org", "--password-stdin"],
      { piped: password },
      2,
      "--email",
    ],
    ["an unknown role", ["--email", "a@x.org", "--role", "root", "--password-stdin"], { piped: password }, 2, "--role"],
    ["an empty name", ["--email", "a@x.org", "--name", "", "--password-stdin"], { piped: password }, 2, "--name"],
    [
      "a name with a bell",
      ["--email", "a@x.org", "--name", "a\u0007", "--password-stdin"],
      { piped: "x" },
      2,
      "--name",
    ],
    ["a short password", ["--email", "a@x.org", "--password-stdin"], { piped: "short\n" }, 1, "at least 8"],
    ["a common password", ["--email", "a@x.org", "--password-stdin"], { piped: "password1\n" }, 1, "common"],
    ["no password", ["--email", "a@x.org", "--password-stdin"], { piped: "" }, 2, "no password"],
    ["two lines", ["--email", "a@x.org", "--password-stdin"], { piped: "one line\nand another\n" }, 2, "one line"],
    ["too many bytes", ["--email", "a@x.org", "--password-stdin"], { piped: "x".repeat(5000) }, 2, "too long"],
    ["no terminal", ["--email", "a@x.org"], {}, 2, "--password-stdin"],
    ["two different passwords", ["--email", "a@x.org"], { typed: [password, "another one"] }, 2, "differ"],
    ["the password as an argument", ["--email", "a@x.org", "--password", password], {}, 2, "unknown option"],
  ];
  for (const [title, argv, input, code, words] of refused) {
    test(`with ${title} fails with ${code} in words, and makes nobody`, async () => {
      const said = await run(["create", ...argv], input);
      expect([said.code, said.out]).toEqual([code, ""]);
      expect(said.err).toContain(words);
      const users = await opened(({ identity }) => identity.listUsers({ filter: {}, limit: 10 }));
      expect(users.data.filter(({ email }) => email !== null)).toEqual([]);
    });
  }
});

describe("S2.13 user list, disable, enable and role", () => {
  test("show and change a user by address and by id, and running servers' records with them", async () => {
    const id = (await create("--role", "viewer")).out.trim();
    expect((await run(["role", "ADA@example.org", "risk"])).code).toBe(0);
    expect((await found())!.role).toBe("risk");
    expect((await run(["disable", id])).err).toContain(`disabled ${id}`);
    expect((await found())!.disabledAt).not.toBeNull();
    const table = (await run(["list"])).out;
    expect(table.split("\n")[0]).toMatch(/^id +address +name +role +state +created$/);
    expect(table).toMatch(new RegExp(`^${id}  ada@example\\.org  Ada +risk +disabled `, "m"));
    expect((await run(["enable", "ada@example.org"])).code).toBe(0);
    expect((await found())!.disabledAt).toBeNull();
    const { data } = JSON.parse((await run(["list", "--json"])).out);
    expect(data.map(({ role }: { role: string }) => role)).toEqual(["risk", "admin"]);
    expect((await run(["list"])).out).toContain("unconfirmed");
  });

  const refused: readonly (readonly [string, readonly string[], number, string])[] = [
    ["of an unknown id", ["disable", "nobody"], 1, "no such user"],
    ["of an unknown address", ["enable", "nobody@example.org"], 1, "no such user"],
    ["without a user", ["disable"], 2, "missing required argument"],
    ["of two users", ["disable", "a", "b"], 2, "too many arguments"],
    ["to an unknown role", ["role", "ada@example.org", "root"], 2, "role takes one of"],
    ["to no role", ["role", "ada@example.org"], 2, "missing required argument"],
  ];
  for (const [title, argv, code, words] of refused) {
    test(`S2.35 ${title} fail with ${code} in words`, async () => {
      await create();
      const said = await run(argv);
      expect([said.code, said.out]).toEqual([code, ""]);
      expect(said.err).toContain(words);
    });
  }

  test("leave the last administrator who can act", async () => {
    const adminId = await opened(async ({ keys, keyFile, identity }) => {
      await keys.ensureFirstAdminKey(keyFile);
      return identity.oldestAdministrator();
    });
    for (const argv of [
      ["disable", adminId],
      ["role", adminId, "viewer"],
    ]) {
      const said = await run(argv);
      expect([said.code, said.err]).toEqual([
        1,
        "error: This is the last administrator who can act; make another one first.\n",
      ]);
    }
  });

  const guide = readFileSync(join(root, "docs/operating/users.md"), "utf8");
  const lines = [...guide.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, text]) => text!.trim().split("\n"));
  test("run as the guide prints them", async () => {
    expect(lines.length).toBe(7);
    for (const line of lines) {
      const { data } = JSON.parse((await run(["list", "--json"])).out);
      const ada = data.find(({ name }: { name: string }) => name === "ada")?.id ?? "";
      const [program, ...words] = line.replace(/ < .*$/, "").match(/"[^"]*"|\S+/g)!;
      expect(program).toBe("bsopt");
      const argv = words.slice(1).map((word) => (/^019a/.test(word) ? ada : word.replaceAll('"', "")));
      const said = await run(argv, line.includes("<") ? { piped: `${password}\n` } : { typed: [password, password] });
      expect([line, said.code, said.err.includes("error")]).toEqual([line, 0, false]);
    }
  });

  test("S4.55 show a name from elsewhere without its control characters", async () => {
    await create("--name", "Ada\u202egnp.exe");
    expect((await run(["list"])).out).toContain("Ada\ufffdgnp.exe");
  });
});
