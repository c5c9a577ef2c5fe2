// Whether anybody can learn from the executable which addresses have an account: the same question about an address that is known,
// not confirmed, disabled, erased or unknown must get the same bytes, but for what is new in every answer.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Answer } from "../harness/http";
import { type MailServer, startMailServer, subjectOfMail, tokenInMail } from "../harness/mail-server";
import { SecuredServer } from "../harness/secured-server";
import { until } from "../harness/storage";

let server: SecuredServer;
let mail: MailServer;
/** Addresses by what they are; each kind was made in its own way. */
const addresses: Record<string, string> = {};
const password = "canary enumerating otter-barge";

beforeAll(async () => {
  mail = await startMailServer();
  server = await SecuredServer.start({ mail });
  server.keep("the password of all", password);
  addresses.confirmed = (await server.person("trader")).email;
  const disabled = await server.person("trader");
  addresses.disabled = disabled.email;
  await server.call("PATCH", `/api/v1/admin/users/${disabled.id}`, { key: "admin", body: { disabled: true } });
  const erased = await server.person("trader");
  addresses.erased = erased.email;
  await server.call("DELETE", `/api/v1/admin/users/${erased.id}`, { key: "admin" });
  addresses.unconfirmed = server.keep("an address not confirmed", "unconfirmed@canary-mail.example");
  addresses.unknown = server.keep("an address nobody has", "nobody@canary-mail.example");
  addresses.other = server.keep("another address nobody has", "nobody.else@canary-mail.example");
  const registered = await post("register", { email: addresses.unconfirmed, password });
  expect(registered.status).toBe(202);
  await until("the mail came", () => mail.mails.length === 1);
}, 60_000);
afterAll(async () => {
  await server.close();
  await mail.close();
});

const post = (path: string, body: object) =>
  server.call("POST", `/api/v1/auth/${path}`, { body, headers: server.stranger() });

const freshHeaders: ReadonlySet<string> = new Set(["date", "x-request-id"]);

/** All that a client sees of an answer, without what is new in each. */
function seen({ status, headers, text }: Answer): unknown {
  const told = [...headers].map(([name, value]) => {
    if (freshHeaders.has(name)) return [name, ""];
    return [name, name === "server-timing" ? value.replace(/[\d.]+/g, "") : value];
  });
  return { status, headers: told.sort(), body: text.replace(/"trace_id":"[0-9a-f]{32}"/, '"trace_id":""') };
}

/** The same question about every address; what each saw. */
async function askedOfAll(path: string, body: (email: string) => object): Promise<[kind: string, seen: unknown][]> {
  const answers: [string, unknown][] = [];
  for (const [kind, email] of Object.entries(addresses)) answers.push([kind, seen(await post(path, body(email)))]);
  return answers;
}

function expectOneAnswer(answers: [string, unknown][], status: number): void {
  const [, first] = answers[0]!;
  expect((first as { status: number }).status).toBe(status);
  for (const [kind, answer] of answers) expect([kind, answer]).toEqual([kind, first]);
}

describe("S1.03 S4.54 an address that is known is answered as one that is not", () => {
  test("by login with a wrong password", async () => {
    expectOneAnswer(await askedOfAll("login", (email) => ({ email, password: "canary wrong otter-barge" })), 401);
  });

  test("by login for a browser with a wrong password", async () => {
    expectOneAnswer(
      await askedOfAll("login", (email) => ({ email, password: "canary wrong otter-barge", cookie: true })),
      401,
    );
  });

  test("by login in capitals, with spaces and in another spelling", async () => {
    for (const spell of [(email: string) => email.toUpperCase(), (email: string) => ` ${email} `]) {
      expectOneAnswer(
        await askedOfAll("login", (email) => ({ email: spell(email), password: "canary wrong otter-barge" })),
        401,
      );
    }
  });

  test("by login once too many tries were made", async () => {
    const statuses: [string, number[]][] = [];
    for (const [kind, email] of Object.entries(addresses)) {
      const answers: number[] = [];
      for (let count = 0; count < 10; count++)
        answers.push((await post("login", { email, password: "canary wrong otter-barge" })).status);
      statuses.push([kind, answers]);
    }
    const [, first] = statuses[0]!;
    expect(first).toContain(429);
    for (const [kind, answers] of statuses) expect([kind, answers]).toEqual([kind, first]);
  }, 60_000);

  test("by asking for a mail to confirm it", async () => {
    expectOneAnswer(await askedOfAll("resend-verification", (email) => ({ email })), 202);
  });

  test("by asking for a mail to set a password", async () => {
    expectOneAnswer(await askedOfAll("password/forgot", (email) => ({ email })), 202);
  });

  test("by asking again and again", async () => {
    for (let count = 0; count < 3; count++) {
      expectOneAnswer(await askedOfAll("password/forgot", (email) => ({ email })), 202);
      expectOneAnswer(await askedOfAll("resend-verification", (email) => ({ email })), 202);
    }
  });

  test("by registering with a password that may not be", async () => {
    expectOneAnswer(await askedOfAll("register", (email) => ({ email, password: "password1" })), 422);
  });

  test("by registering", async () => {
    expectOneAnswer(await askedOfAll("register", (email) => ({ email, password, name: "Somebody" })), 202);
    expectOneAnswer(await askedOfAll("register", (email) => ({ email, password, name: "Somebody" })), 202);
  });
});

describe("what goes by mail alone", () => {
  test("S1.01 the owner of a known address is told of a registration, and nobody's password was replaced by it", async () => {
    const to = (kind: string) => mail.mails.filter((one) => one.to.includes(addresses[kind]!));
    await until("the mail came", () => to("other").length > 0 && to("confirmed").length > 0);
    // Disabled: nothing is sent. Erased: the address is nobody's now, and free.
    expect(to("disabled")).toEqual([]);
    for (const { text } of mail.mails) {
      expect(["Confirm your address", "Set a new password", "You are registered already"]).toContain(
        subjectOfMail(text),
      );
      if (text.includes("#")) server.keep("a mailed token", tokenInMail(text));
    }
    const stolen = await post("login", { email: addresses.confirmed!, password });
    expect([401, 429]).toContain(stolen.status);
  });

  test("S2.14 a mail holds nothing that whoever asked for it chose", async () => {
    const name = "Click https://evil.example now";
    const email = server.keep("an address to write to", "victim@canary-mail.example");
    await post("register", { email, password, name });
    await until("the mail came", () => mail.mails.some((one) => one.to.includes(email)));
    const sent = mail.mails.find((one) => one.to.includes(email))!;
    server.keep("the victim's token", tokenInMail(sent.text));
    expect(sent.text).not.toContain("evil.example");
    expect(sent.text).toContain("https://bsopt.example/account/verify-email#");
  });

  test("S2.14 header injection: neither Host nor X-Forwarded-Host moves the link in a mail", async () => {
    const email = server.keep("an address under another host", "host@canary-mail.example");
    const answer = await server.call("POST", "/api/v1/auth/register", {
      body: { email, password },
      headers: {
        ...server.stranger(),
        host: "127.0.0.1",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "http",
        forwarded: "host=evil.example",
      },
    });
    expect(answer.status).toBe(202);
    await until("the mail came", () => mail.mails.some((one) => one.to.includes(email)));
    const sent = mail.mails.find((one) => one.to.includes(email))!;
    server.keep("the token under another host", tokenInMail(sent.text));
    expect(sent.text).not.toContain("evil.example");
  });

  const injections = [
    "a@canary-mail.example\r\nBcc: evil@evil.example",
    "a@canary-mail.example\nSubject: x",
    "a@canary-mail.example,evil@evil.example",
    "a@canary-mail.example;evil@evil.example",
    "a@canary-mail.example evil@evil.example",
    "<a@canary-mail.example>",
    '"a\\r\\nBcc: evil@evil.example"@canary-mail.example',
    "a@canary-mail.example%0d%0aBcc:evil@evil.example",
    "a@canary-mail.example\u0000@evil.example",
    "a@[127.0.0.1]",
    "a@evil.example@canary-mail.example",
    "a b@canary-mail.example",
    "a@canary-mail.example\u2028Bcc: evil@evil.example",
  ];
  test.each(injections)(
    "S2.14 header injection: the address %j is refused, and no mail goes anywhere",
    async (email) => {
      const before = mail.mails.length;
      for (const [path, body] of [
        ["register", { email, password }],
        ["password/forgot", { email }],
        ["resend-verification", { email }],
      ] as const) {
        const answer = await post(path, body);
        expect([path, answer.status]).toEqual([path, 422]);
        expect(answer.text).not.toContain("evil.example");
      }
      // A mail asked for afterwards has come, so one asked for before it would have.
      const after = server.keep("an address written to afterwards", `after-${before}@canary-mail.example`);
      await post("register", { email: after, password });
      await until("the mail came", () => mail.mails.some((one) => one.to.includes(after)));
      expect(mail.mails.slice(before).map((one) => one.to)).toEqual([[after]]);
      server.keep("the token afterwards", tokenInMail(mail.mails.at(-1)!.text));
    },
  );
});
