// The executable serving with a person of every role, for tests that attack it: it knows every secret it handed out or got
// back, reads each error answer and, at the end, the whole log (at level debug), and fails where one of them stands there. So every test of
// security is a test of leakage too. It must never be kinder to the server than a stranger would be.

import { join } from "node:path";
import { type Client, createClient } from "@libsql/client";
import type { KeyPair } from "../../src/adapters/jwt";
import { openMasterKey } from "../../src/adapters/master-key";
import { permissionsOfRole, type Role, roles } from "../../src/domain/permission";
import { systemRandom } from "../../src/foundation/random";
import { createSecretBox } from "../../src/foundation/secret-box";
import { type Finished, Installation, type Serving } from "./executable";
import { type Answer, answerOf } from "./http";
import type { MailServer } from "./mail-server";
import { publishedPermissions } from "./permission-rows";

export interface CallOptions {
  /** A role's name for that role's key, or a key's text. */
  readonly key?: Role | string;
  readonly bearer?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a string or bytes are sent as they are. */
  readonly body?: unknown;
}

/** Somebody with an address and a password, made by the command line. */
export interface Person {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly role: Role;
}

/** What a sign-in by tokens gave. */
export interface SignedIn {
  readonly accessToken: string;
  readonly refreshToken: string;
}

export interface BySessionCookie {
  /** The whole Set-Cookie header. */
  readonly setCookie: string;
  readonly cookie: string;
  readonly csrfToken: string;
}

export interface SecuredServerOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Where its mails go; without it they become files in the data folder. */
  readonly mail?: MailServer;
}

export class SecuredServer {
  readonly installation: Installation;
  readonly keys: Readonly<Record<Role, string>>;
  #serving: Serving;
  #said = "";
  readonly #environment: Readonly<Record<string, string>>;
  readonly #secrets = new Map<string, string>();
  readonly #leaks: string[] = [];
  #people = 0;
  #strangers = 0;
  readonly #administrators = new Map<string, Promise<SignedIn>>();

  private constructor(
    installation: Installation,
    serving: Serving,
    keys: Record<Role, string>,
    environment: Readonly<Record<string, string>>,
  ) {
    this.installation = installation;
    this.#serving = serving;
    this.keys = keys;
    this.#environment = environment;
    for (const [role, key] of Object.entries(keys)) this.keep(`the ${role}'s key`, key);
  }

  static async start({ environment = {}, mail }: SecuredServerOptions = {}): Promise<SecuredServer> {
    const installation = new Installation();
    const settings = {
      BSOPT_LOG_LEVEL: "debug",
      BSOPT_DRAIN_MS: "0",
      BSOPT_RATE_LIMITS: "off",
      // So that a test can be many strangers: the stricter limits of signing in hold always.
      BSOPT_TRUSTED_PROXIES: "127.0.0.0/8",
      ...(mail && {
        BSOPT_SMTP_URL: `smtp://127.0.0.1:${mail.port}?tls=off`,
        BSOPT_PUBLIC_URL: "https://bsopt.example",
      }),
      ...environment,
    };
    const serving = await installation.serve({ environment: settings });
    const keys: Partial<Record<Role, string>> = { admin: serving.key() };
    for (const role of roles) {
      if (role === "admin") continue;
      const scopes = [...permissionsOfRole[role]].join(",");
      const made = await installation.run(["key", "create", "--name", `key of ${role}`, "--scopes", scopes]);
      if (made.code !== 0) throw new Error(`no key for ${role}: ${made.stderr}`);
      keys[role] = made.stdout.trim();
    }
    return new SecuredServer(installation, serving, keys as Record<Role, string>, settings);
  }

  get url(): string {
    return this.#serving.url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get pid(): number {
    return this.#serving.pid;
  }

  /** Keeps a secret, under a name to tell it by: from now on it must stand in no error answer, and never in the log. */
  keep(name: string, secret: string): string {
    if (secret.length < 6) throw new Error(`${name} is too short to be looked for`);
    this.#secrets.set(secret, name);
    return secret;
  }

  /** One request. An error answer with a kept secret in it fails the run. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const headers = new Headers();
    const { key, bearer, body } = options;
    // Open to this very machine; a stranger comes through a proxy.
    if (path === "/metrics") headers.set("x-forwarded-for", "203.0.113.9");
    if (key !== undefined) headers.set("x-api-key", (this.keys as Record<string, string>)[key] ?? key);
    if (bearer !== undefined) headers.set("authorization", `Bearer ${bearer}`);
    const isRaw = typeof body === "string" || body instanceof Uint8Array;
    if (body !== undefined) headers.set("content-type", "application/json");
    for (const [name, value] of Object.entries(options.headers ?? {})) headers.set(name, value);
    const sent = body === undefined ? null : isRaw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body);
    const answer = await answerOf(await fetch(this.url + path, { method, headers, body: sent, redirect: "manual" }));
    if (answer.status >= 400) this.#look(`the ${answer.status} of ${method} ${path.split("?")[0]}`, answer.text);
    return answer;
  }

  /** A new person of a role, confirmed, with a password nobody else has. */
  async person(role: Role): Promise<Person> {
    this.#people += 1;
    const email = this.keep(`${role} ${this.#people}'s address`, `${role}-${this.#people}@canary-mail.example`);
    const password = this.keep(`${role} ${this.#people}'s password`, `canary ${role} ${this.#people} mule-turbine-oak`);
    const made = await this.run(
      ["user", "create", "--email", email, "--role", role, "--verified", "--password-stdin"],
      {
        stdin: `${password}\n`,
      },
    );
    if (made.code !== 0) throw new Error(`no ${role}: ${made.stderr}`);
    const listed = await this.call("GET", `/api/v1/admin/users?email=${encodeURIComponent(email)}`, { key: "admin" });
    return { id: listed.json.data[0].id, email, password, role };
  }

  /**
   * What lets an administrator in at an operation: the key, or the token of somebody signed in where the table of permissions lets no
   * key in; nothing where it is public.
   */
  async credentialsFor(operation: { readonly method: string; readonly path: string; readonly isPublic: boolean }) {
    if (operation.isPublic) return {};
    const row = publishedPermissions().get(`${operation.method} ${operation.path}`);
    if (row?.key !== "403") return { key: "admin" };
    // One for each operation: who is asked for a password too often is not asked again for a while.
    const name = `${operation.method} ${operation.path}`;
    const administrator = this.#administrators.get(name) ?? this.person("admin").then((person) => this.signIn(person));
    this.#administrators.set(name, administrator);
    return { bearer: (await administrator).accessToken };
  }

  /** An address that nobody has called from before, as a header. */
  stranger(): { readonly "x-forwarded-for": string } {
    this.#strangers += 1;
    return { "x-forwarded-for": `198.18.${this.#strangers >> 8}.${this.#strangers & 255}` };
  }

  /** Signs somebody in, without a second factor, from an address of its own. */
  async signIn({ email, password }: Pick<Person, "email" | "password">): Promise<SignedIn> {
    const answer = await this.call("POST", "/api/v1/auth/login", {
      body: { email, password },
      headers: this.stranger(),
    });
    if (answer.status !== 200 || !answer.json.access_token)
      throw new Error(`no sign-in: ${answer.status} ${answer.text}`);
    return {
      accessToken: this.keep(`an access token of ${email}`, answer.json.access_token),
      refreshToken: this.keep(`a refresh token of ${email}`, answer.json.refresh_token),
    };
  }

  /** A second server on the same data, with the same settings; the caller stops it. */
  beside(): Promise<Serving> {
    return this.installation.serve({ environment: this.#environment });
  }

  /** Signs somebody in as a browser, and gives back what its requests would carry. */
  async signInByCookie({ email, password }: Pick<Person, "email" | "password">): Promise<BySessionCookie> {
    const answer = await this.call("POST", "/api/v1/auth/login", {
      body: { email, password, cookie: true },
      headers: this.stranger(),
    });
    const set = answer.headers.get("set-cookie") ?? "";
    const cookie = /^__Host-bsopt=([^;]+)/.exec(set)?.[1];
    if (answer.status !== 200 || cookie === undefined) throw new Error(`no sign-in: ${answer.status} ${answer.text}`);
    return {
      setCookie: set,
      cookie: this.keep(`a session cookie of ${email}`, cookie),
      csrfToken: this.keep(`a CSRF token of ${email}`, answer.json.csrf_token),
    };
  }

  /** Another process on the same data, for a command. */
  run(args: readonly string[], options: { stdin?: string } = {}): Promise<Finished> {
    return this.installation.run(args, options);
  }

  /** What the log holds so far, of this start and those before it. */
  log(): string {
    return this.#said + this.#serving.said();
  }

  /** The database beside the running server: another process, as a backup's reader would be. */
  database(): Client {
    return createClient({ url: `file:${join(this.installation.path("bsopt-data"), "bsopt.db")}`, intMode: "bigint" });
  }

  /** The key that signs access tokens at this moment, opened with what no attacker has: the file beside the database. */
  async signingKey(): Promise<{ readonly kid: string; readonly keyPair: KeyPair }> {
    const database = this.database();
    try {
      const { rows } = await database.execute(
        "select id, public_key, sealed_private_key from signing_keys where retired_at is null order by created_at limit 1",
      );
      const { id, public_key: publicKey, sealed_private_key: sealed } = rows[0]!;
      const box = createSecretBox(openMasterKey(this.installation.path("bsopt-data"), systemRandom), systemRandom);
      return {
        kid: String(id),
        keyPair: {
          publicJwk: JSON.parse(String(publicKey)),
          privateJwk: JSON.parse(box.open("signing-key", String(sealed))),
        },
      };
    } finally {
      database.close();
    }
  }

  async restart(): Promise<void> {
    await this.#serving.stop();
    this.#said += this.#serving.said();
    this.#serving = await this.installation.serve({ environment: this.#environment });
  }

  /** Stops it and throws where a kept secret was seen in an error answer or stands in the log. */
  async close(): Promise<void> {
    await this.#serving.stop();
    const log = this.log();
    this.installation.remove();
    this.#look("the log", log);
    if (this.#leaks.length > 0) throw new Error(`leaked: ${this.#leaks.slice(0, 10).join("; ")}`);
  }

  #look(where: string, text: string): void {
    const lower = text.toLowerCase();
    for (const [secret, name] of this.#secrets) {
      if (lower.includes(secret.toLowerCase())) this.#leaks.push(`${name} in ${where}`);
    }
  }
}
