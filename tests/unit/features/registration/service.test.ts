// What registering, confirming, forgetting and changing a password do and leave behind, over a real database with a clock moved by hand.
// What an answer must not tell is counted: hashes, writes and messages are the same for an address that is known and one that is not.

import { afterEach, describe, expect, test } from "bun:test";
import { noOrigin } from "../../../../src/domain/principal";
import { createRegistration } from "../../../../src/features/registration/service";
import { mailedTokens, passwords } from "../../../../src/features/registration/table";
import { BsoptError } from "../../../../src/foundation/errors";
import { argon2id } from "../../../../src/foundation/password-hasher";
import { outboxMessages } from "../../../../src/storage/table";
import { openRegistration, quickHash, type RegistrationFixture } from "../../../harness/registration";

const ada = { email: "ada@example.org", password: "seven-green-boats", origin: noOrigin };
const minute = 60_000;
const hour = 60 * minute;

const opened: RegistrationFixture[] = [];
afterEach(async () => {
  for (const fixture of opened.splice(0)) await fixture.close();
});

async function open(options: Parameters<typeof openRegistration>[0] = {}): Promise<RegistrationFixture> {
  const fixture = await openRegistration(options);
  opened.push(fixture);
  return fixture;
}

/** One registered and confirmed. */
async function withAda(options: Parameters<typeof openRegistration>[0] = {}): Promise<RegistrationFixture> {
  const fixture = await open(options);
  await fixture.registration.register(ada);
  await fixture.sendMails();
  await fixture.registration.verifyEmail({ token: fixture.tokenTo(ada.email), origin: noOrigin });
  fixture.clock.advance(2 * minute);
  return fixture;
}

async function codeOf(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof BsoptError ? error.code : `no error: ${String(error)}`;
}

const typesOf = ({ auditLines }: RegistrationFixture) =>
  auditLines.map(({ eventType, status }) => `${eventType} ${status}`);

describe("registering", () => {
  test("S1.01 S1.02 makes an unconfirmed viewer, mails a token, and the token confirms the address", async () => {
    const fixture = await open();
    const { registration, identity } = fixture;
    await registration.register({ ...ada, email: " Ada@Example.ORG ", name: "Ada Lovelace" });
    const user = await identity.findUserByEmail(ada.email);
    expect(user).toMatchObject({ email: ada.email, name: "Ada Lovelace", role: "viewer", emailVerifiedAt: null });
    const [mail, ...others] = await fixture.sendMails();
    expect(others).toEqual([]);
    expect(mail).toMatchObject({ to: ada.email, subject: "Confirm your address" });
    const confirmed = await registration.verifyEmail({ token: fixture.tokenTo(ada.email), origin: noOrigin });
    expect(confirmed).toMatchObject({ id: user!.id, email: ada.email, role: "viewer" });
    expect(confirmed.email_verified_at).not.toBeNull();
    expect(await registration.checkPassword("ADA@example.org", ada.password)).toMatchObject({ id: user!.id });
    expect(typesOf(fixture)).toEqual(["auth.register success", "auth.email.verified success"]);
    expect(await fixture.storage.read.select().from(outboxMessages)).toEqual([]);
  });

  test("S1.01 without a name calls the user by the address's first part", async () => {
    const { registration, identity } = await open();
    await registration.register(ada);
    expect((await identity.findUserByEmail(ada.email))?.name).toBe("ada");
  });

  test("S1.01 stores neither password nor token in any text of the database, and logs neither", async () => {
    const fixture = await open({ slowHash: argon2id });
    await fixture.registration.register(ada);
    const [stored] = await fixture.storage.read.select().from(passwords);
    expect(stored!.hash).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$");
    await fixture.sendMails();
    const token = fixture.tokenTo(ada.email);
    const everything = JSON.stringify(
      [
        await fixture.storage.read.select().from(passwords),
        await fixture.storage.read.select().from(mailedTokens),
        await fixture.storage.read.select().from(outboxMessages),
        fixture.auditLines,
        fixture.log.lines,
      ],
      (_key, value) => (typeof value === "bigint" ? String(value) : value),
    );
    expect(everything).not.toContain(ada.password);
    expect(everything).not.toContain(token);
    expect(JSON.stringify(fixture.log.lines)).not.toContain("ada@");
  });

  test("S1.01 a hundred times at once makes one user with one password and one mail", async () => {
    const fixture = await open();
    const tries = Array.from({ length: 100 }, () => fixture.registration.register(ada));
    expect((await Promise.allSettled(tries)).filter(({ status }) => status === "rejected")).toEqual([]);
    expect(await fixture.storage.read.select().from(passwords)).toHaveLength(1);
    expect(await fixture.sendMails()).toHaveLength(1);
    await fixture.registration.verifyEmail({ token: fixture.tokenTo(ada.email), origin: noOrigin });
    expect(await fixture.registration.checkPassword(ada.email, ada.password)).not.toBeNull();
  });

  test("S1.01 hashes once, writes once and leaves one message, whether the address is new, waiting, known or disabled", async () => {
    const fixture = await withAda();
    const { registration, identity, counts, clock, storage } = fixture;
    const seen: unknown[] = [];
    const measure = async (email: string) => {
      const before = { ...counts };
      await registration.register({ ...ada, email });
      const messages = await storage.read.select().from(outboxMessages);
      seen.push({
        slow: counts.hashes - before.hashes + counts.verifications - before.verifications,
        writes: counts.writes - before.writes,
        messages: messages.length,
      });
      await fixture.sendMails();
    };
    await measure("new@example.org");
    await measure("new@example.org");
    await measure(ada.email);
    await measure(ada.email);
    clock.advance(2 * minute);
    await measure("new@example.org");
    const user = await identity.findUserByEmail(ada.email);
    await identity.changeUser({
      actor: { userId: null, origin: noOrigin },
      userId: user!.id,
      patch: { disabled: true },
    });
    await measure(ada.email);
    expect(new Set(seen.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(seen[0]).toEqual({ slow: 1, writes: 1, messages: 1 });
  });

  test("S1.01 of a confirmed address changes nothing and tells its owner, at most once a minute", async () => {
    const fixture = await withAda();
    const attack = { ...ada, password: "eve-was-here-too" };
    await fixture.registration.register(attack);
    await fixture.registration.register(attack);
    const sent = await fixture.sendMails();
    expect(sent.map(({ to, subject }) => ({ to, subject }))).toEqual([
      { to: ada.email, subject: "You are registered already" },
    ]);
    expect(sent[0]!.text).not.toMatch(/#[A-Za-z0-9_-]{43}/);
    expect(await fixture.registration.checkPassword(ada.email, attack.password)).toBeNull();
    expect(await fixture.registration.checkPassword(ada.email, ada.password)).not.toBeNull();
    fixture.clock.advance(minute);
    await fixture.registration.register(attack);
    expect(await fixture.sendMails()).toHaveLength(1);
  });

  test("S1.01 with the same password again leaves it the one that a token alone confirms", async () => {
    const fixture = await open();
    await fixture.registration.register(ada);
    fixture.clock.advance(minute);
    await fixture.registration.register(ada);
    const [first, second, ...others] = await fixture.sendMails();
    expect([first?.to, second?.to, others]).toEqual([ada.email, ada.email, []]);
    await fixture.registration.verifyEmail({ token: fixture.tokenTo(ada.email), origin: noOrigin });
    expect(await fixture.registration.checkPassword(ada.email, ada.password)).not.toBeNull();
  });

  // Eve may come first, in between or last, with a mail to it or too soon for one: whichever mail Ada answers, Eve's password is none.
  const eve = { ...ada, password: "eve-was-here-too" };
  test.each([
    ["Eve, and Ada too soon for a mail", [eve, ada], 1],
    ["Eve, and Ada with a mail of her own", [eve, null, ada], 2],
    ["Ada, and Eve too soon for a mail", [ada, eve], 1],
    ["Ada, and Eve with another mail", [ada, null, eve], 2],
    ["Ada between two of Eve's", [eve, null, ada, null, eve], 3],
    ["Ada twice with Eve between", [ada, eve, ada], 1],
  ])(
    "S1.01 of a waiting address by %s: no token alone confirms it, and the password sent along is the one",
    async (_name, steps, mailCount) => {
      const fixture = await open();
      const { registration } = fixture;
      for (const step of steps) {
        if (step === null) fixture.clock.advance(minute);
        else await registration.register(step);
      }
      expect(await fixture.sendMails()).toHaveLength(mailCount);
      const token = fixture.tokenTo(ada.email);
      for (let attempt = 0; attempt < 2; attempt++) {
        expect(registration.verifyEmail({ token, origin: noOrigin })).rejects.toMatchObject({
          code: "PASSWORD_NEEDED",
          faults: [{ pointer: "/password" }],
        });
      }
      expect((await fixture.identity.findUserByEmail(ada.email))?.emailVerifiedAt).toBeNull();
      await registration.verifyEmail({ token, password: ada.password, origin: noOrigin });
      expect(await registration.checkPassword(ada.email, eve.password)).toBeNull();
      expect(await registration.checkPassword(ada.email, ada.password)).not.toBeNull();
      expect(await codeOf(registration.verifyEmail({ token, password: eve.password, origin: noOrigin }))).toBe(
        "TOKEN_INVALID",
      );
    },
  );

  test("S1.01 at once with another password: one user, and no token alone confirms it", async () => {
    const fixture = await open();
    const tries = Array.from({ length: 20 }, (_, index) => fixture.registration.register(index % 2 === 0 ? ada : eve));
    await Promise.all(tries);
    expect(await fixture.storage.read.select().from(passwords)).toHaveLength(1);
    expect(await fixture.sendMails()).toHaveLength(1);
    const token = fixture.tokenTo(ada.email);
    expect(await codeOf(fixture.registration.verifyEmail({ token, origin: noOrigin }))).toBe("PASSWORD_NEEDED");
    // Each cost one slow hash: one more for those that lost the race would tell that the address was new.
    expect(fixture.counts.hashes + fixture.counts.verifications).toBe(20);
  });

  test("S1.01 of somebody whom an administrator invited: the token confirms with a password only", async () => {
    const fixture = await open();
    const { registration } = fixture;
    await registration.createUser({
      ...{ actorId: "an-admin", email: ada.email, name: "Ada", role: "trader", origin: noOrigin, idempotency: null },
    });
    await registration.register(eve);
    await fixture.sendMails();
    const token = fixture.tokenTo(ada.email);
    expect(await registration.checkPassword(ada.email, eve.password)).toBeNull();
    expect(await codeOf(registration.verifyEmail({ token, origin: noOrigin }))).toBe("PASSWORD_NEEDED");
    await registration.verifyEmail({ token, password: ada.password, origin: noOrigin });
    expect(await registration.checkPassword(ada.email, ada.password)).toMatchObject({ role: "trader" });
  });

  test("S1.01 is not settled by a second mail that arrives after the address was confirmed", async () => {
    const fixture = await open();
    const { registration, identity, storage, clock } = fixture;
    await registration.register(ada);
    await fixture.sendMails();
    const user = (await identity.findUserByEmail(ada.email))!;
    await registration.verifyEmail({ token: fixture.tokenTo(ada.email), origin: noOrigin });
    // As left by a resend that saw the user just before: a token that works, of somebody who is confirmed.
    const token = "1Zs2b7m9cQe0dRkT4uVw6xYzA8BfCgDhEiFjGkHlImJ";
    const now = clock.nowMicroseconds();
    await storage.write((tx) =>
      tx.insert(mailedTokens).values({
        tokenHash: new Bun.CryptoHasher("sha256").update(token).digest("hex"),
        userId: user.id,
        purpose: "verify_email",
        createdAt: now,
        expiresAt: now + 1_000_000n,
      }),
    );
    expect(await codeOf(registration.verifyEmail({ token, password: eve.password, origin: noOrigin }))).toBe(
      "TOKEN_INVALID",
    );
    expect(await registration.checkPassword(ada.email, ada.password)).not.toBeNull();
  });

  test("S1.01 while the owner confirms cannot slip another password in", async () => {
    const fixture = await open();
    const { registration, identity, clock } = fixture;
    await registration.register(ada);
    await fixture.sendMails();
    clock.advance(2 * minute);
    const before = await identity.findUserByEmail(ada.email);
    await registration.verifyEmail({ token: fixture.tokenTo(ada.email), origin: noOrigin });
    // Sees the user once more as not confirmed, as a request does that looked just before.
    const real = identity.findUserByEmail;
    let stale = 1;
    const slow = { ...identity, findUserByEmail: async (email: string) => (stale-- > 0 ? before : real(email)) };
    Object.assign(identity, slow);
    await registration.register({ ...ada, password: "eve-was-here-too" });
    Object.assign(identity, { findUserByEmail: real });
    expect(await registration.checkPassword(ada.email, "eve-was-here-too")).toBeNull();
    expect(await registration.checkPassword(ada.email, ada.password)).not.toBeNull();
  });

  test("S1.01 of an address whose user is erased at that moment makes a new user, and nothing else", async () => {
    const fixture = await withAda();
    const { registration, identity } = fixture;
    const before = (await identity.findUserByEmail(ada.email))!;
    await identity.eraseUser({ actor: { userId: null, origin: noOrigin }, userId: before.id });
    const real = identity.findUserByEmail;
    let stale = 1;
    Object.assign(identity, { findUserByEmail: async (email: string) => (stale-- > 0 ? before : real(email)) });
    await registration.register({ ...ada, password: "eight-blue-trains" });
    Object.assign(identity, { findUserByEmail: real });
    const after = await identity.findUserByEmail(ada.email);
    expect(after).toMatchObject({ emailVerifiedAt: null });
    expect(after!.id).not.toBe(before.id);
    expect((await fixture.sendMails()).map(({ subject }) => subject)).toEqual(["Confirm your address"]);
  });

  test.each([
    ["a password that is refused", { password: "password" }, "PASSWORD_COMMON"],
    ["a password like the address", { email: "greenboats@x.org", password: "greenboats77" }, "PASSWORD_LIKE_ADDRESS"],
    ["no address", { email: "ada" }, "EMAIL_INVALID"],
  ])("S1.01 with %s hashes and writes nothing", async (_name, changes, code) => {
    const fixture = await open();
    expect(await codeOf(fixture.registration.register({ ...ada, ...changes }))).toBe(code);
    expect(fixture.counts).toEqual({ hashes: 0, verifications: 0, writes: 0 });
  });

  test("S1.01 is refused where registration is closed", async () => {
    const fixture = await open({ mode: "closed" });
    expect(await codeOf(fixture.registration.register(ada))).toBe("REGISTRATION_CLOSED");
    expect(fixture.counts.writes).toBe(0);
  });

  test("S1.01 where an invitation is needed mails whom an administrator made a user for, and nobody else, at the same cost", async () => {
    const fixture = await open({ mode: "invite" });
    const { registration, counts, storage } = fixture;
    const grace = { actorId: "an-admin", email: "grace@example.org", name: "Grace", role: "trader" as const };
    await registration.createUser({ ...grace, origin: noOrigin, idempotency: null });
    expect(await fixture.sendMails()).toHaveLength(1);
    const costs: unknown[] = [];
    for (const email of [ada.email, grace.email]) {
      const before = { ...counts };
      await registration.register({ ...ada, email });
      costs.push({
        slow: counts.hashes - before.hashes + counts.verifications - before.verifications,
        writes: counts.writes - before.writes,
        messages: (await storage.read.select().from(outboxMessages)).length,
      });
      expect((await fixture.sendMails()).map(({ to }) => to)).toEqual(email === ada.email ? [] : [grace.email]);
    }
    expect(costs).toEqual([costs[1], { slow: 1, writes: 1, messages: 1 }]);
    expect(await fixture.identity.findUserByEmail(ada.email)).toBeNull();
    expect(await storage.read.select().from(passwords)).toEqual([]);
    await registration.verifyEmail({ token: fixture.tokenTo(grace.email), password: ada.password, origin: noOrigin });
    expect(await registration.checkPassword(grace.email, ada.password)).toMatchObject({ role: "trader" });
    expect(typesOf(fixture).filter((line) => line.startsWith("auth.register"))).toEqual([
      "auth.register failure",
      "auth.register success",
    ]);
  });

  test("S2.12 is 503 where too many passwords wait, and where too many mails do", async () => {
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const slowHash = {
      ...quickHash,
      hash: async (password: string) => {
        await held;
        return quickHash.hash(password);
      },
    };
    const fixture = await open({ waitingCountMax: 1, slowHash });
    const taken = [1, 2].map((index) => fixture.registration.register({ ...ada, email: `a${index}@x.org` }));
    expect(await codeOf(fixture.registration.register({ ...ada, email: "a3@x.org" }))).toBe("PASSWORDS_BUSY");
    letGo();
    await Promise.all(taken);
    const full = await open({ pendingMessageCount: () => 10_000 });
    expect(await codeOf(full.registration.register(ada))).toBe("MAILS_BUSY");
    expect(await codeOf(full.registration.requestMail({ email: ada.email, kind: "reset_password" }))).toBe(
      "MAILS_BUSY",
    );
  });
});

describe("a mailed token", () => {
  test("S1.02 confirms once", async () => {
    const fixture = await open();
    await fixture.registration.register(ada);
    await fixture.sendMails();
    const token = fixture.tokenTo(ada.email);
    const tries = Array.from({ length: 20 }, () => fixture.registration.verifyEmail({ token, origin: noOrigin }));
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await codeOf(fixture.registration.verifyEmail({ token, origin: noOrigin }))).toBe("TOKEN_INVALID");
    expect(typesOf(fixture).filter((line) => line.startsWith("auth.email.verified"))).toHaveLength(1);
  });

  test.each([
    ["to confirm", "verify_email", 24 * hour],
    ["to set a password", "reset_password", hour],
  ] as const)("S1.02 %s works until the moment it expires and not then", async (_name, kind, life) => {
    for (const [early, works] of [
      [0.001, true],
      [0, false],
    ] as const) {
      const fixture = kind === "verify_email" ? await open() : await withAda();
      if (kind === "verify_email") await fixture.registration.register(ada);
      else await fixture.registration.requestMail({ email: ada.email, kind });
      await fixture.sendMails();
      const token = fixture.tokenTo(ada.email);
      fixture.clock.advance(life - early);
      const act =
        kind === "verify_email"
          ? fixture.registration.verifyEmail({ token, origin: noOrigin })
          : fixture.registration.resetPassword({ token, password: "eight-blue-trains", origin: noOrigin });
      expect(await codeOf(act)).toBe(works ? "no error: null" : "TOKEN_INVALID");
    }
  });

  test("S1.02 of one purpose does nothing of the other", async () => {
    const fixture = await withAda();
    await fixture.registration.requestMail({ email: ada.email, kind: "reset_password" });
    await fixture.sendMails();
    const token = fixture.tokenTo(ada.email);
    expect(await codeOf(fixture.registration.verifyEmail({ token, origin: noOrigin }))).toBe("TOKEN_INVALID");
    await fixture.registration.resetPassword({ token, password: "eight-blue-trains", origin: noOrigin });
  });

  test.each(["", "x", "1Zs2b7m9cQe0dRkT4uVw6xYzA8BfCgDhEiFjGkHlImJ", "' or 1=1 --"])(
    "S1.02 that was never sent (%p) is refused in the same words",
    async (token) => {
      const { registration } = await open();
      expect(registration.verifyEmail({ token, origin: noOrigin })).rejects.toMatchObject({
        reason: "invalid",
        code: "TOKEN_INVALID",
        faults: [{ pointer: "/token" }],
      });
    },
  );

  test("S1.02 is swept a day after it was made, not before: it tells how often an address was written to", async () => {
    const fixture = await withAda();
    await fixture.registration.requestMail({ email: ada.email, kind: "reset_password" });
    await fixture.sendMails();
    const count = async () => (await fixture.storage.read.select().from(mailedTokens)).length;
    // An agent runs its first round at its start.
    const sweep = async () => {
      const [agent] = createRegistration({ ...fixture.parts }).agents;
      agent!.start();
      await agent!.stop();
    };
    expect(await count()).toBe(2);
    fixture.clock.advance(23 * hour);
    await sweep();
    expect(await count()).toBe(2);
    fixture.clock.advance(hour);
    await sweep();
    expect(await count()).toBe(0);
  });
});

describe("asking for a mail", () => {
  const kinds = ["reset_password", "verify_email"] as const;

  test.each(kinds)(
    "S1.02 (%s) writes one message for everybody and looks nobody up before its answer",
    async (kind) => {
      const fixture = await withAda();
      const shapes: unknown[] = [];
      for (const email of [ada.email, "nobody@example.org"]) {
        const [writes, reads] = [fixture.counts.writes, fixture.readCount()];
        await fixture.registration.requestMail({ email, kind });
        const [row] = await fixture.storage.read.select().from(outboxMessages);
        shapes.push({
          writes: fixture.counts.writes - writes,
          reads: fixture.readCount() - reads,
          topic: row!.topic,
          fields: Object.keys(JSON.parse(row!.payload)),
        });
        await fixture.sendMails();
      }
      expect(shapes[0]).toEqual(shapes[1]);
      expect(shapes[0]).toEqual({ writes: 1, reads: 0, topic: "mail-request", fields: ["kind", "email"] });
    },
  );

  test("S1.02 again sends a fresh token and ends the one before; a minute apart, ten a day", async () => {
    const fixture = await open();
    const { registration, clock } = fixture;
    await registration.register(ada);
    await fixture.sendMails();
    const first = fixture.tokenTo(ada.email);
    const ask = async () => {
      await registration.requestMail({ email: ada.email, kind: "verify_email" });
      return (await fixture.sendMails()).length;
    };
    clock.advance(minute - 1);
    expect(await ask()).toBe(0);
    clock.advance(1);
    expect(await ask()).toBe(1);
    expect(await codeOf(registration.verifyEmail({ token: first, origin: noOrigin }))).toBe("TOKEN_INVALID");
    let sent = 2;
    for (let round = 0; round < 20; round++) {
      clock.advance(2 * minute);
      sent += await ask();
    }
    expect(sent).toBe(10);
    await registration.verifyEmail({ token: fixture.tokenTo(ada.email), origin: noOrigin });
    expect(await ask()).toBe(0);
  });

  test("S1.02 for somebody disabled sends nothing", async () => {
    const fixture = await withAda();
    const user = await fixture.identity.findUserByEmail(ada.email);
    await fixture.identity.changeUser({
      actor: { userId: null, origin: noOrigin },
      userId: user!.id,
      patch: { disabled: true },
    });
    await fixture.registration.requestMail({ email: ada.email, kind: "reset_password" });
    expect(await fixture.sendMails()).toEqual([]);
  });

  test("S1.02 that could be sent only after its token expired sends nothing", async () => {
    const fixture = await open();
    await fixture.registration.register(ada);
    fixture.clock.advance(24 * hour);
    expect(await fixture.sendMails()).toEqual([]);
    expect(await fixture.storage.read.select().from(outboxMessages)).toEqual([]);
    expect(fixture.log.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
  });
});

describe("a forgotten password", () => {
  test("S2.12 is set by the mail's token: sessions end, the address is confirmed, further tokens die, the owner is told", async () => {
    const fixture = await open();
    const { registration, identity, clock } = fixture;
    await registration.register({ ...ada, password: "eve-was-here-too" });
    await fixture.sendMails();
    const verification = fixture.tokenTo(ada.email);
    clock.advance(minute);
    await registration.requestMail({ email: ada.email, kind: "reset_password" });
    await fixture.sendMails();
    const token = fixture.tokenTo(ada.email);
    clock.advance(minute);
    await registration.resetPassword({ token, password: "eight-blue-trains", origin: noOrigin });
    const user = await identity.findUserByEmail(ada.email);
    expect(user).toMatchObject({
      emailVerifiedAt: clock.nowMicroseconds(),
      sessionsValidFrom: clock.nowMicroseconds(),
    });
    expect(await registration.checkPassword(ada.email, "eight-blue-trains")).toMatchObject({ id: user!.id });
    expect(await registration.checkPassword(ada.email, "eve-was-here-too")).toBeNull();
    const again = { token, password: "nine-red-bridges", origin: noOrigin };
    expect(await codeOf(registration.resetPassword(again))).toBe("TOKEN_INVALID");
    expect(await codeOf(registration.verifyEmail({ token: verification, origin: noOrigin }))).toBe("TOKEN_INVALID");
    expect((await fixture.sendMails()).map(({ subject }) => subject)).toEqual(["Your password was changed"]);
    expect(typesOf(fixture).at(-1)).toBe("auth.password.reset success");
  });

  test("S2.12 is not set, nor its token used up, where the new one is refused", async () => {
    const fixture = await withAda();
    await fixture.registration.requestMail({ email: ada.email, kind: "reset_password" });
    await fixture.sendMails();
    const token = fixture.tokenTo(ada.email);
    const weak = { token, password: "password1", origin: noOrigin };
    expect(await codeOf(fixture.registration.resetPassword(weak))).toBe("PASSWORD_COMMON");
    await fixture.registration.resetPassword({ token, password: "eight-blue-trains", origin: noOrigin });
  });

  test("S2.12 set twenty times at once by one token is set once", async () => {
    const fixture = await withAda();
    await fixture.registration.requestMail({ email: ada.email, kind: "reset_password" });
    await fixture.sendMails();
    const token = fixture.tokenTo(ada.email);
    const words = Array.from({ length: 20 }, (_, index) => `eight-blue-trains-${index}`);
    const outcomes = await Promise.allSettled(
      words.map((password) => fixture.registration.resetPassword({ token, password, origin: noOrigin })),
    );
    const won = outcomes.flatMap(({ status }, index) => (status === "fulfilled" ? [words[index]!] : []));
    expect(won).toHaveLength(1);
    expect(await fixture.registration.checkPassword(ada.email, won[0]!)).not.toBeNull();
  });
});

describe("changing a password", () => {
  test("S2.12 with the present one ends every session and tells the owner", async () => {
    const fixture = await withAda();
    const { registration, identity, clock } = fixture;
    const user = (await identity.findUserByEmail(ada.email))!;
    await registration.changePassword({
      userId: user.id,
      currentPassword: ada.password,
      newPassword: "eight-blue-trains",
      origin: noOrigin,
    });
    expect((await identity.findUser(user.id))?.sessionsValidFrom).toBe(clock.nowMicroseconds());
    expect(await registration.checkPassword(ada.email, ada.password)).toBeNull();
    expect(await registration.checkPassword(ada.email, "eight-blue-trains")).not.toBeNull();
    expect((await fixture.sendMails()).map(({ subject }) => subject)).toEqual(["Your password was changed"]);
    expect(typesOf(fixture).at(-1)).toBe("auth.password.changed success");
  });

  test.each([
    ["a wrong present one", "not-the-password", "eight-blue-trains", "PASSWORD_WRONG", "/current_password"],
    ["a new one that is refused", ada.password, "short", "PASSWORD_TOO_SHORT", "/new_password"],
    ["a new one like the address", ada.password, "ada@example.org", "PASSWORD_LIKE_ADDRESS", "/new_password"],
  ])("S2.12 with %s changes nothing", async (_name, currentPassword, newPassword, code, pointer) => {
    const fixture = await withAda();
    const user = (await fixture.identity.findUserByEmail(ada.email))!;
    const act = fixture.registration.changePassword({
      userId: user.id,
      currentPassword,
      newPassword,
      origin: noOrigin,
    });
    expect(act).rejects.toMatchObject({ reason: "invalid", code, faults: [{ pointer }] });
    await act.catch(() => undefined);
    expect(await fixture.identity.findUser(user.id)).toEqual(user);
    expect(await fixture.registration.checkPassword(ada.email, ada.password)).not.toBeNull();
    if (code === "PASSWORD_WRONG") expect(typesOf(fixture).at(-1)).toBe("auth.password.changed failure");
  });

  test("S2.12 that was checked before its owner set another by mail does not undo that", async () => {
    const fixture = await withAda();
    const { registration, identity, storage, clock } = fixture;
    const user = (await identity.findUserByEmail(ada.email))!;
    const changing = codeOf(
      registration.changePassword({
        userId: user.id,
        currentPassword: ada.password,
        newPassword: "eve-was-here-too",
        origin: noOrigin,
      }),
    );
    const hash = await quickHash.hash("eight-blue-trains");
    // Queued before the change's own write, which comes after two hashes.
    await storage.write((tx) => registration.setPassword(tx, { userId: user.id, hash, now: clock.nowMicroseconds() }));
    expect(await changing).toBe("PASSWORD_WRONG");
    expect(await registration.checkPassword(ada.email, "eight-blue-trains")).not.toBeNull();
  });
});

describe("checking a password", () => {
  test("S1.03 does the same work for a right one, a wrong one and an unknown address", async () => {
    const fixture = await withAda();
    const work: unknown[] = [];
    for (const [email, password] of [
      [ada.email, ada.password],
      [ada.email, "not-the-password"],
      ["nobody@example.org", ada.password],
    ] as const) {
      const [before, reads] = [{ ...fixture.counts }, fixture.readCount()];
      await fixture.registration.checkPassword(email, password);
      work.push({
        verifications: fixture.counts.verifications - before.verifications,
        hashes: fixture.counts.hashes - before.hashes,
        writes: fixture.counts.writes - before.writes,
        reads: fixture.readCount() - reads,
      });
    }
    expect(work[0]).toEqual(work[1]);
    expect(work[0]).toEqual(work[2]);
    expect(work[0]).toMatchObject({ verifications: 1, hashes: 0, writes: 0 });
  });

  test("S1.03 of an unknown address, or of somebody without one, verifies a hash of the same cost", async () => {
    const verified: string[] = [];
    const slowHash = {
      ...quickHash,
      verify: async (password: string, hash: string) => {
        verified.push(hash);
        return quickHash.verify(password, hash);
      },
    };
    const fixture = await withAda({ slowHash });
    const { registration, identity, storage, clock } = fixture;
    const grace = { email: "grace@example.org", name: "Grace", role: "viewer", isVerified: true } as const;
    await storage.write((tx) => identity.insertPerson(tx, { ...grace, now: clock.nowMicroseconds() }));
    for (const email of [ada.email, grace.email, "nobody@example.org", "no address"]) {
      await registration.checkPassword(email, "not-the-password");
    }
    const cost = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/;
    expect(verified.map((hash) => cost.test(hash))).toEqual([true, true, true, true]);
  });

  test("S1.03 hashed with parameters of the past hashes it anew, once", async () => {
    const fixture = await withAda({ slowHash: argon2id });
    const { registration, identity, storage, clock } = fixture;
    const user = (await identity.findUserByEmail(ada.email))!;
    const hash = await Bun.password.hash(ada.password, { algorithm: "argon2id", memoryCost: 8192, timeCost: 1 });
    await storage.write((tx) => registration.setPassword(tx, { userId: user.id, hash, now: clock.nowMicroseconds() }));
    expect(await registration.checkPassword(ada.email, "not-the-password")).toBeNull();
    expect((await storage.read.select().from(passwords))[0]!.hash).toBe(hash);
    expect(await registration.checkPassword(ada.email, ada.password)).not.toBeNull();
    const renewed = (await storage.read.select().from(passwords))[0]!.hash;
    expect(renewed).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$");
    expect(await registration.checkPassword(ada.email, ada.password)).not.toBeNull();
    expect((await storage.read.select().from(passwords))[0]!.hash).toBe(renewed);
  });

  test("S1.03 of somebody who has none is wrong, whatever it is", async () => {
    const fixture = await open();
    await fixture.storage.write((tx) =>
      fixture.identity.insertPerson(tx, {
        email: ada.email,
        name: "ada",
        role: "viewer",
        isVerified: true,
        now: fixture.clock.nowMicroseconds(),
      }),
    );
    expect(await fixture.registration.checkPassword(ada.email, "")).toBeNull();
    expect(await fixture.registration.checkPassword(ada.email, ada.password)).toBeNull();
  });
});

describe("an administrator's invitation", () => {
  const grace = {
    actorId: "an-admin",
    email: "grace@example.org",
    name: "Grace",
    role: "trader",
    origin: noOrigin,
  } as const;

  test("S2.12 makes a user who sets a password by the mail's token and is confirmed by it", async () => {
    const fixture = await open({ mode: "invite" });
    const { user } = await fixture.registration.createUser({ ...grace, idempotency: null });
    expect(user).toMatchObject({ email: grace.email, role: "trader", email_verified_at: null });
    const [mail] = await fixture.sendMails();
    expect(mail).toMatchObject({ to: grace.email, subject: "You are invited" });
    const token = fixture.tokenTo(grace.email);
    fixture.clock.advance(23 * hour);
    await fixture.registration.resetPassword({ token, password: "eight-blue-trains", origin: noOrigin });
    expect(await fixture.registration.checkPassword(grace.email, "eight-blue-trains")).toMatchObject({ id: user.id });
    expect(fixture.auditLines[0]).toMatchObject({
      eventType: "admin.user.created",
      userId: "an-admin",
      resource: `users/${user.id}`,
      details: { role: "trader" },
    });
  });

  test("S2.12 of a taken address is a conflict, which administrators may know", async () => {
    const fixture = await withAda();
    const act = fixture.registration.createUser({ ...grace, email: ada.email, idempotency: null });
    expect(act).rejects.toMatchObject({ reason: "conflict", code: "EMAIL_TAKEN" });
    await act.catch(() => undefined);
    expect(await fixture.sendMails()).toEqual([]);
  });

  test.each(["open", "invite", "closed"] as const)(
    "S2.12 is an administrator's to make where registration is %s",
    async (mode) => {
      const fixture = await open({ mode });
      await fixture.registration.createUser({ ...grace, idempotency: null });
      expect((await fixture.sendMails()).map(({ subject }) => subject)).toEqual(["You are invited"]);
    },
  );
});

describe("an address that nobody confirms", () => {
  const week = 7 * 24 * hour;
  const sweep = async (fixture: RegistrationFixture) => {
    const agent = createRegistration({ ...fixture.parts }).agents.find(
      ({ name }) => name === "unconfirmed-user-sweep",
    )!;
    agent.start();
    await agent.stop();
  };
  const isThere = async (fixture: RegistrationFixture) => (await fixture.identity.findUserByEmail(ada.email)) !== null;

  test("S1.02 goes a week after the last mail to it, with its password and tokens, and leaves an audit line", async () => {
    const fixture = await open();
    await fixture.registration.register(ada);
    fixture.clock.advance(6 * 24 * hour);
    await fixture.registration.register(ada);
    fixture.clock.advance(week - 1);
    await sweep(fixture);
    expect(await isThere(fixture)).toBe(true);
    fixture.clock.advance(1);
    await sweep(fixture);
    expect(await isThere(fixture)).toBe(false);
    expect(await fixture.storage.read.select().from(passwords)).toEqual([]);
    expect(await fixture.storage.read.select().from(mailedTokens)).toEqual([]);
    expect(fixture.auditLines.at(-1)).toMatchObject({
      eventType: "user.erased",
      userId: null,
      details: { by_the_user: false, unconfirmed: true },
    });
    await fixture.registration.register(ada);
    expect(await isThere(fixture)).toBe(true);
  });

  test("S1.02 in numbers is swept to the last", async () => {
    const fixture = await open();
    for (let index = 0; index < 40; index++) await fixture.registration.register({ ...ada, email: `a${index}@x.org` });
    fixture.clock.advance(week);
    await fixture.registration.register(ada);
    // An agent that is told to stop ends after the batch it has in hand.
    for (let round = 0; round < 3; round++) await sweep(fixture);
    const left = await fixture.identity.listUsers({ filter: {}, limit: 100 });
    expect(left.data.map(({ email }) => email)).toEqual([ada.email]);
  });

  test.each([
    [
      "was confirmed",
      async (fixture: RegistrationFixture) => {
        await fixture.registration.verifyEmail({ token: fixture.tokenTo(ada.email), origin: noOrigin });
      },
    ],
    [
      "was confirmed by setting a password",
      async (fixture: RegistrationFixture) => {
        fixture.clock.advance(minute);
        await fixture.registration.requestMail({ email: ada.email, kind: "reset_password" });
        await fixture.sendMails();
        const token = fixture.tokenTo(ada.email);
        await fixture.registration.resetPassword({ token, password: "eight-blue-trains", origin: noOrigin });
      },
    ],
    [
      "an administrator has changed",
      async (fixture: RegistrationFixture) => {
        const { id } = (await fixture.identity.findUserByEmail(ada.email))!;
        const patch = { role: "trader" as const };
        await fixture.identity.changeUser({ actor: { userId: "an-admin", origin: noOrigin }, userId: id, patch });
      },
    ],
  ])("S1.02 stays where it %s", async (_name, act) => {
    const fixture = await open();
    await fixture.registration.register(ada);
    await fixture.sendMails();
    await act(fixture);
    fixture.clock.advance(10 * week);
    await sweep(fixture);
    expect(await isThere(fixture)).toBe(true);
  });

  test("S1.02 of somebody whom an administrator made a user stays", async () => {
    const fixture = await open();
    const person = { actorId: "an-admin", email: ada.email, name: "Ada", role: "trader" as const };
    await fixture.registration.createUser({ ...person, origin: noOrigin, idempotency: null });
    await fixture.registration.register(ada);
    fixture.clock.advance(10 * week);
    await sweep(fixture);
    expect(await isThere(fixture)).toBe(true);
  });
});

describe("an erased user", () => {
  test("S3.18 leaves neither password nor token, and the address can be registered anew", async () => {
    const fixture = await withAda();
    const user = (await fixture.identity.findUserByEmail(ada.email))!;
    expect(await fixture.registration.personalData.collect(user.id)).toEqual([{ changed_at: expect.any(String) }]);
    await fixture.storage.write((tx) =>
      fixture.registration.personalData.erase(tx, user, fixture.clock.nowMicroseconds()),
    );
    expect(await fixture.storage.read.select().from(passwords)).toEqual([]);
    expect(await fixture.storage.read.select().from(mailedTokens)).toEqual([]);
    expect(await fixture.registration.personalData.collect(user.id)).toEqual([]);
  });
});
