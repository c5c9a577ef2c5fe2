// `bsopt key create|list|revoke`: API keys from the machine that holds the database. Whoever may read and write its
// files is the operator and needs no key. Standard output carries the secret and nothing else, so that a script can
// take it; whatever is said to people goes to standard error. A secret is never shown by anything but create.

import { Value } from "@sinclair/typebox/value";
import { Command } from "commander";
import type { Config } from "../config/config";
import { permissions } from "../domain/permission";
import { rateClasses } from "../domain/principal";
import { type ApiKey, ApiKeyRequest } from "../features/keys/model";
import type { KeyFile, Keys } from "../features/keys/service";
import { printable, quoted } from "../foundation/printable";
import { UsageError } from "./io";
import { addSettings, readSettings, type SettingsSource } from "./settings-options";
import { alignedTable } from "./text-table";

/** Keys on an open database, to be closed after use. */
export interface OpenedIdentity {
  readonly keys: Keys;
  readonly keyFile: KeyFile;
  close(): Promise<void>;
}

export interface KeyDependencies extends SettingsSource {
  /** Opens the configured database; loaded only when a subcommand runs. */
  readonly openIdentity: (config: Config) => Promise<OpenedIdentity>;
}

interface CreateOptions {
  readonly name: string;
  readonly scopes: string;
  readonly rateClass?: string;
  readonly expires?: string;
  readonly ipAllow?: string;
  readonly json?: true;
}

const settingKeys = ["data_dir", "database_url"] as const;
const pageLimit = 200;
/** Keys listed at most: ten users with all the living keys they may have. */
const listedCountMax = 10_000;

/** The subcommands; each opens the database, does one thing and closes it. */
export function keyCommand(dependencies: KeyDependencies): Command {
  const { io, openIdentity } = dependencies;
  const subcommand = (name: string, description: string) =>
    addSettings(new Command(name).description(description).allowExcessArguments(false), settingKeys);
  const withIdentity = async (command: Command, act: (opened: OpenedIdentity) => Promise<void>) => {
    const opened = await openIdentity(await readSettings(command, dependencies));
    try {
      await act(opened);
    } finally {
      await opened.close();
    }
  };

  const create = subcommand("create", "make a key and print its secret alone on standard output")
    .requiredOption("--name <name>", "a name for people")
    .requiredOption("--scopes <list>", `what it may do, separated by commas: ${permissions.join(", ")}`)
    .option("--rate-class <class>", `which rate limit counts it: ${rateClasses.join(", ")} [default standard]`)
    .option("--expires <moment>", "when it stops working, such as 2027-01-01T00:00:00Z")
    .option("--ip-allow <list>", "addresses and CIDR blocks it may be used from, separated by commas")
    .option("--json", "the whole key as JSON instead of its secret");
  create.action(async (options: CreateOptions) => {
    const request = requestOf(options);
    await withIdentity(create, async ({ keys, keyFile }) => {
      // A folder's first key is the administrator's, whichever command touches the folder first.
      if ((await keys.ensureFirstAdminKey(keyFile)) !== null) {
        await io.stderr.write("the first administrator's key was made too: the file admin-api-key holds it\n");
      }
      const key = await keys.createKey({ maker: { kind: "operator" }, request });
      await io.stderr.write(`made key ${key.id} ${quoted(key.name)}; its secret is shown this once\n`);
      await io.stdout.write(options.json ? `${JSON.stringify(key)}\n` : `${key.secret}\n`);
    });
  });

  const list = subcommand("list", "list all keys, newest first").option("--json", "as JSON");
  list.action(async ({ json }: { json?: true }) => {
    await withIdentity(list, async ({ keys }) => {
      const listed = await everyKey(keys);
      await io.stdout.write(json ? `${JSON.stringify({ data: listed })}\n` : table(listed));
    });
  });

  const revoke = subcommand("revoke", "end a key at once").argument("<id>", "the key's id, as list shows it");
  revoke.action(async (id: string) => {
    if (id.startsWith("bso_")) throw new UsageError("revoke takes a key's id, not its secret");
    await withIdentity(revoke, async ({ keys }) => {
      const { madeCount } = await keys.revokeKey({ by: { kind: "operator" }, id });
      await io.stderr.write(`revoked ${printable(id)}: running servers refuse it within seconds\n`);
      if (madeCount > 0) {
        await io.stderr.write(`${madeCount === 1 ? "1 key" : `${madeCount} keys`} that it made still work\n`);
      }
    });
  });

  return new Command("key")
    .description("make, list and revoke API keys")
    .addCommand(create)
    .addCommand(list)
    .addCommand(revoke);
}

/** The flags as the body that the API takes, held against the same schema. */
function requestOf(options: CreateOptions): ApiKeyRequest {
  const { name, scopes, rateClass, expires, ipAllow } = options;
  const words = (list: string) => list.split(",").map((word) => word.trim());
  const request: unknown = {
    name,
    scopes: words(scopes),
    ...(rateClass !== undefined && { rate_class: rateClass }),
    ...(expires !== undefined && { expires_at: expires }),
    ...(ipAllow !== undefined && { ip_allow: words(ipAllow) }),
  };
  if (Value.Check(ApiKeyRequest, request)) return request;
  const field = Value.Errors(ApiKeyRequest, request).First()?.path.split("/")[1] ?? "";
  throw new UsageError(faultOfFlag[field] ?? "the key cannot be made so");
}

const faultOfFlag: Readonly<Record<string, string>> = {
  name: "--name takes 1 to 100 characters, none of them a control character and no space in front",
  scopes: `--scopes takes words out of ${permissions.join(", ")}, each once, separated by commas`,
  rate_class: `--rate-class takes one of ${rateClasses.join(", ")}`,
  expires_at: "--expires takes a moment such as 2027-01-01T00:00:00Z",
  ip_allow: "--ip-allow takes up to 64 addresses and CIDR blocks, separated by commas",
};

async function everyKey(keys: Keys): Promise<ApiKey[]> {
  const listed: ApiKey[] = [];
  let cursor: string | null = null;
  do {
    const page = await keys.listKeys({
      of: { kind: "everybody" },
      limit: pageLimit,
      ...(cursor !== null && { cursor }),
    });
    listed.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor !== null && listed.length < listedCountMax);
  return listed;
}

function table(keys: readonly ApiKey[]): string {
  const header = ["id", "name", "scopes", "rate class", "state", "created", "last used"];
  const rows = keys.map((key) => [
    key.id,
    printable(key.name),
    key.scopes.join(","),
    key.rate_class,
    stateOf(key),
    key.created_at,
    key.last_used_at ?? "never",
  ]);
  return alignedTable(header, rows);
}

function stateOf(key: ApiKey): string {
  if (key.revoked_at !== null) return `revoked ${key.revoked_at}`;
  return key.expires_at === null ? "lives" : `until ${key.expires_at}`;
}
