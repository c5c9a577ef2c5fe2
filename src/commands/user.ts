// `bsopt user create|list|disable|enable|role`: people from the machine that holds the database. Whoever may read and write its files is the
// operator and needs no account. A password is typed without being shown or piped in; it is never an argument and never printed.

import { Command } from "commander";
import type { Config } from "../config/config";
import { type Role, roles } from "../domain/permission";
import type { User } from "../features/identity/model";
import { userNameLengthMax, userNamePattern } from "../features/identity/rules";
import { type Identity, operator } from "../features/identity/service";
import type { KeyFile, Keys } from "../features/keys/service";
import type { Registration } from "../features/registration/service";
import { BsoptError } from "../foundation/errors";
import { printable, quoted } from "../foundation/printable";
import { type CommandIo, UsageError } from "./io";
import { readPipedLine } from "./secret-input";
import { addSettings, readSettings, type SettingsSource } from "./settings-options";
import { alignedTable } from "./text-table";

/** Users, keys and passwords on an open database, to be closed after use. */
export interface OpenedPeople {
  readonly identity: Identity;
  readonly keys: Pick<Keys, "ensureFirstAdminKey">;
  readonly registration: Pick<Registration, "hashPassword" | "setPassword">;
  readonly keyFile: KeyFile;
  close(): Promise<void>;
}

export interface UserDependencies extends SettingsSource {
  /** Opens the configured database; loaded only when a subcommand runs. */
  readonly openIdentity: (config: Config) => Promise<OpenedPeople>;
}

interface CreateOptions {
  readonly email: string;
  readonly role: string;
  readonly name?: string;
  readonly verified?: true;
  readonly passwordStdin?: true;
  readonly json?: true;
}

const settingKeys = ["data_dir", "database_url"] as const;
const pageLimit = 200;
/** Users listed at most. */
const listedCountMax = 10_000;

/** The subcommands; each opens the database, does one thing and closes it. */
export function userCommand(dependencies: UserDependencies): Command {
  const { io, openIdentity } = dependencies;
  const subcommand = (name: string, description: string) =>
    addSettings(new Command(name).description(description).allowExcessArguments(false), settingKeys);
  const withPeople = async (command: Command, act: (opened: OpenedPeople) => Promise<void>) => {
    const opened = await openIdentity(await readSettings(command, dependencies));
    try {
      await act(opened);
    } finally {
      await opened.close();
    }
  };

  const create = subcommand("create", "make a user who signs in with a password, and print the user's id")
    .requiredOption("--email <address>", "the mail address to sign in with")
    .option("--role <role>", `what the user may do: ${roles.join(", ")}`, "viewer")
    .option("--name <name>", "a name for people [default: what stands before the @]")
    .option("--verified", "take the address as the user's own, without a mail to confirm it")
    .option("--password-stdin", "read the password from standard input instead of asking for it")
    .option("--json", "the whole user as JSON instead of the id");
  create.action(async (options: CreateOptions) => {
    const role = roleOf(options.role, "--role");
    const name = nameOf(options);
    const password = await passwordFrom(io, options.passwordStdin === true);
    await withPeople(create, async ({ identity, keys, keyFile, registration }) => {
      // A folder's first user is the administrator, whichever command touches the folder first.
      if ((await keys.ensureFirstAdminKey(keyFile)) !== null) {
        await io.stderr.write("the first administrator's key was made too: the file admin-api-key holds it\n");
      }
      const hash = await registration.hashPassword(password, options.email);
      const user = await identity.createUser({
        actor: operator,
        person: { email: options.email, name, role, isVerified: options.verified === true },
        also: (tx, { id: userId }, now) => registration.setPassword(tx, { userId, hash, now }),
      });
      await io.stderr.write(`made ${role} ${quoted(name)}\n`);
      await io.stdout.write(options.json ? `${JSON.stringify(identity.userOnWire(user))}\n` : `${user.id}\n`);
    });
  });

  const list = subcommand("list", "list all users, newest first").option("--json", "as JSON");
  list.action(async ({ json }: { json?: true }) => {
    await withPeople(list, async ({ identity }) => {
      const users = await everyUser(identity);
      await io.stdout.write(json ? `${JSON.stringify({ data: users })}\n` : table(users));
    });
  });

  const change = (name: string, description: string, said: string, patchOf: (word: string) => ChangePatch) => {
    const command = subcommand(name, description).argument("<user>", "the user's id, as list shows it, or address");
    if (name === "role") command.argument("<role>", roles.join(", "));
    command.action(async (who: string, word: unknown) => {
      const patch = patchOf(typeof word === "string" ? word : "");
      await withPeople(command, async ({ identity }) => {
        const userId = await userIdOf(identity, who);
        await identity.changeUser({ actor: operator, userId, patch });
        await io.stderr.write(`${said} ${printable(who)}: running servers follow within seconds\n`);
      });
    });
    return command;
  };

  return new Command("user")
    .description("make, list, disable and enable users, and set their roles")
    .addCommand(create)
    .addCommand(list)
    .addCommand(change("disable", "refuse all of a user's credentials", "disabled", () => ({ disabled: true })))
    .addCommand(change("enable", "honour a user's credentials again", "enabled", () => ({ disabled: false })))
    .addCommand(change("role", "give a user another role", "changed", (word) => ({ role: roleOf(word, "role") })));
}

type ChangePatch = Parameters<Identity["changeUser"]>[0]["patch"];

function roleOf(text: string, origin: string): Role {
  const role = roles.find((name) => name === text);
  if (role) return role;
  throw new UsageError(`${origin} takes one of ${roles.join(", ")}`);
}

function nameOf({ name, email }: CreateOptions): string {
  const text = name ?? email.split("@")[0] ?? "";
  if (text.length <= userNameLengthMax && new RegExp(userNamePattern).test(text)) return text;
  if (name === undefined) throw new UsageError("--email takes an address such as name@example.org");
  throw new UsageError(
    `--name takes 1 to ${userNameLengthMax} characters, none of them a control character and no space in front`,
  );
}

async function passwordFrom(io: CommandIo, isPiped: boolean): Promise<string> {
  if (isPiped) return readPipedLine(io.stdin());
  if (io.askSecret === undefined) {
    throw new UsageError("there is no terminal to ask for a password on", "pipe it in with --password-stdin");
  }
  const password = await io.askSecret("password: ");
  if ((await io.askSecret("once more: ")) !== password) throw new UsageError("the two passwords differ");
  return password;
}

async function userIdOf(identity: Identity, who: string): Promise<string> {
  const user = who.includes("@") ? await identity.findUserByEmail(who) : await identity.findUser(who);
  if (user !== null) return user.id;
  throw new BsoptError({ reason: "not-found", code: "USER_NOT_FOUND", detail: "There is no such user." });
}

async function everyUser(identity: Identity): Promise<User[]> {
  const listed: User[] = [];
  let cursor: string | null = null;
  do {
    const page = await identity.listUsers({ filter: {}, limit: pageLimit, ...(cursor !== null && { cursor }) });
    listed.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor !== null && listed.length < listedCountMax);
  return listed;
}

function table(users: readonly User[]): string {
  const header = ["id", "address", "name", "role", "state", "created"];
  return alignedTable(
    header,
    users.map((user) => [
      user.id,
      printable(user.email ?? "none"),
      printable(user.name),
      user.role,
      stateOf(user),
      user.created_at,
    ]),
  );
}

function stateOf(user: User): string {
  if (user.erased_at !== null) return `erased ${user.erased_at}`;
  if (user.disabled_at !== null) return `disabled ${user.disabled_at}`;
  return user.email !== null && user.email_verified_at === null ? "unconfirmed" : "active";
}
