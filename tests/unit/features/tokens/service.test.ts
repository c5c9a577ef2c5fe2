// Access tokens: what is signed is taken, whatever is made up is refused, and keys follow each other without anybody noticing.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { parseTimestamp } from "../../../../src/domain/day-count";
import { permissionsOfRole } from "../../../../src/domain/permission";
import { auditEvents } from "../../../../src/features/audit/table";
import type { Tokens } from "../../../../src/features/tokens/service";
import { signingKeys } from "../../../../src/features/tokens/table";
import { seededRandom } from "../../../../src/foundation/random";
import { createSecretBox } from "../../../../src/foundation/secret-box";
import { craftedTokens, malformedTokens, signedWith } from "../../../harness/crafted-tokens";
import { openTokensFixture, releaseMachineClock, type TokensFixture } from "../../../harness/tokens";

releaseMachineClock();

const userId = "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e11";
const sessionId = "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e12";
const refusal = expect.objectContaining({ reason: "unauthenticated", code: "TOKEN_INVALID" });
const minute = 60_000;
const day = 86_400_000;

const issue = (tokens: Tokens) =>
  tokens.issue({ userId, sessionId, isForKey: false, scopes: permissionsOfRole.viewer });
const headOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[0]!, "base64url").toString());
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
/** A refusal may be thrown at once or later; both are one for the caller. */
const verified = async (tokens: Tokens, token: string) => tokens.verify(token);

describe("an access token", () => {
  let fixture: TokensFixture;
  beforeAll(async () => {
    fixture = await openTokensFixture();
  });
  afterAll(() => fixture.close());

  test("S3.02 S4.56 carries typ, iss, aud, sub, jti, sid, scope, iat and exp, and nothing else", async () => {
    const { token, tokenId, expiresInSeconds } = await issue(fixture.tokens);
    expect(expiresInSeconds).toBe(900);
    expect(headOf(token)).toEqual({ alg: "EdDSA", typ: "at+jwt", kid: fixture.tokens.jwks().keys[0]?.kid });
    const now = fixture.nowSeconds();
    expect(claimsOf(token)).toEqual({
      iss: "bsopt",
      aud: "bsopt-api",
      sub: userId,
      jti: tokenId,
      sid: sessionId,
      scope: "pricing:read market:read stream:read portfolio:read",
      iat: now,
      exp: now + 900,
    });
  });

  test("S2.12 is taken, and the second time at once and as the same object", async () => {
    const { token, tokenId } = await issue(fixture.tokens);
    const first = await fixture.tokens.verify(token);
    expect(first).toMatchObject({ userId, sessionId, keyId: null, tokenId });
    expect(first.scopes).toEqual(["pricing:read", "market:read", "stream:read", "portfolio:read"]);
    const second = fixture.tokens.verify(token);
    expect(second).not.toBeInstanceOf(Promise);
    expect(second).toBe(first);
  });

  test("for an API key names it as client_id and sid", async () => {
    const { token } = await fixture.tokens.issue({
      userId,
      sessionId: "4fJ0aVb7QkXz",
      isForKey: true,
      scopes: new Set(["pricing:read" as const]),
    });
    expect(claimsOf(token)).toMatchObject({ client_id: "4fJ0aVb7QkXz", sid: "4fJ0aVb7QkXz", scope: "pricing:read" });
    expect(await fixture.tokens.verify(token)).toMatchObject({ keyId: "4fJ0aVb7QkXz" });
  });

  test("without any scope is taken and grants nothing", async () => {
    const { token } = await fixture.tokens.issue({ userId, sessionId, isForKey: false, scopes: new Set() });
    expect((await fixture.tokens.verify(token)).scopes).toEqual([]);
  });

  test("S4.54 S4.56 that somebody made up is refused, whatever it is that is wrong with it", async () => {
    const { token } = await issue(fixture.tokens);
    const material = {
      good: token,
      keyPair: await fixture.keyPair(headOf(token).kid),
      nowSeconds: fixture.nowSeconds(),
    };
    // The bench of the bench: re-signing by hand is otherwise good.
    const resigned = signedWith(
      material.keyPair,
      Buffer.from(token.split(".")[0]!, "base64url").toString(),
      claimsOf(token),
    );
    expect(await verified(fixture.tokens, resigned)).toMatchObject({ userId });
    const table = [...craftedTokens(material), ...malformedTokens(material)];
    expect(table.length).toBeGreaterThan(30);
    const taken: string[] = [];
    for (const [what, crafted] of table) {
      const outcome = await verified(fixture.tokens, crafted).then(
        () => "taken",
        (error) => error.code,
      );
      if (outcome !== "TOKEN_INVALID") taken.push(`${what}: ${outcome}`);
    }
    expect(taken).toEqual([]);
    expect(await verified(fixture.tokens, token)).toMatchObject({ userId });
  });

  for (const isSeen of [true, false]) {
    test(`S2.12 ${isSeen ? "seen before" : "never seen"} works to the last microsecond of its time and not after it`, async () => {
      const { token } = await issue(fixture.tokens);
      if (isSeen) await fixture.tokens.verify(token);
      const exp = BigInt(claimsOf(token).exp) * 1_000_000n;
      const left = () => Number(exp - fixture.clock.nowMicroseconds()) / 1000;
      fixture.advance(left() - 0.001);
      expect(await fixture.tokens.verify(token)).toMatchObject({ userId });
      fixture.advance(left());
      expect(verified(fixture.tokens, token)).rejects.toEqual(refusal);
      fixture.advance(1);
      expect(verified(fixture.tokens, token)).rejects.toEqual(refusal);
    });
  }

  test("of another installation is refused, though its keys have the same names", async () => {
    const other = await openTokensFixture({ seed: 8n });
    try {
      expect(verified(fixture.tokens, (await issue(other.tokens)).token)).rejects.toEqual(refusal);
    } finally {
      await other.close();
      // The machine's clock was the other's for a while.
      fixture.advance(0);
    }
  });

  test("memory holds so many verified tokens and no more, and all of them are taken all the same", async () => {
    const tokens = await fixture.anotherTokens({ limits: { verifiedCountMax: 2 } });
    const made = await Promise.all(Array.from({ length: 5 }, () => issue(tokens)));
    for (let round = 0; round < 2; round++) {
      for (const { token } of made) expect(await tokens.verify(token)).toMatchObject({ userId });
    }
    expect(tokens.verify(made[0]!.token)).toBeInstanceOf(Promise);
    expect(tokens.verify(made[4]!.token)).not.toBeInstanceOf(Promise);
    tokens.close();
  });

  test("asked about by many at once is looked at once; too many different ones at once are told to come back", async () => {
    const tokens = await fixture.anotherTokens({ limits: { verifyingCountMax: 1 } });
    const [one, other] = [await issue(tokens), await issue(tokens)];
    const first = tokens.verify(one.token);
    expect(tokens.verify(one.token)).toBe(first);
    expect(() => tokens.verify(other.token)).toThrow(
      expect.objectContaining({ reason: "unavailable", code: "TOO_MANY_TOKENS", retryAfterSeconds: 1 }),
    );
    await first;
    expect(await tokens.verify(other.token)).toMatchObject({ userId });
    tokens.close();
  });
});

describe("the keys", () => {
  let fixture: TokensFixture;
  beforeAll(async () => {
    fixture = await openTokensFixture({ seed: 21n });
  });
  afterAll(() => fixture.close());

  /** What a process does that starts now: it makes the next key where one is due, and its agent looks after them once. */
  async function round(): Promise<void> {
    const tokens = await fixture.anotherTokens();
    const [agent] = tokens.agents;
    agent!.start();
    await agent!.stop();
    tokens.close();
    fixture.tellForeignWrite();
    // Asking for a key that nobody has waits for the reading that is under way.
    fixture.advance(1_001);
    await verified(fixture.tokens, await strange()).catch(() => undefined);
  }

  const untilMilliseconds = (moment: string) =>
    Number((parseTimestamp(moment) as bigint) - fixture.clock.nowMicroseconds()) / 1000;

  async function strange(): Promise<string> {
    const [, claims, signature] = (await issue(fixture.tokens)).token.split(".");
    return `${Buffer.from('{"alg":"EdDSA","kid":"unknown","typ":"at+jwt"}').toString("base64url")}.${claims}.${signature}`;
  }

  test("are made once by several starts at once, and all take each other's tokens", async () => {
    const several = await Promise.all([fixture.anotherTokens(), fixture.anotherTokens(), fixture.anotherTokens()]);
    expect(await fixture.storage.read.select().from(signingKeys)).toHaveLength(1);
    const { token } = await issue(several[0]!);
    for (const each of several) expect(await each.verify(token)).toMatchObject({ userId });
    for (const each of several) each.close();
  });

  test("keep their private half sealed: it stands nowhere in the database and in no answer", async () => {
    const [row] = await fixture.storage.read.select().from(signingKeys);
    const { privateJwk } = await fixture.keyPair(row!.id);
    expect(JSON.stringify([row!.publicKey, row!.sealedPrivateKey])).not.toContain(privateJwk.d);
    const told = JSON.stringify([fixture.tokens.jwks(), fixture.tokens.listKeys()]);
    expect(told).not.toContain(privateJwk.d);
    expect(told).not.toContain('"d"');
  });

  test("of a database that was written under another master key stop the start in words", async () => {
    const secretBox = createSecretBox(new Uint8Array(32).fill(4), seededRandom(1n));
    expect(fixture.anotherTokens({ secretBox })).rejects.toEqual(
      expect.objectContaining({ code: "SEAL_BROKEN", hint: expect.stringContaining("master-key") }),
    );
  });

  test("S3.02 follow each other: published first, then signing, the old one verifying until its last token is over", async () => {
    const other = await fixture.anotherTokens();
    const [first] = fixture.tokens.jwks().keys;
    const madeAt = (await fixture.storage.read.select().from(signingKeys))[0]!.createdAt;
    fixture.advance(Number(madeAt - fixture.clock.nowMicroseconds()) / 1000 + 30 * day - 0.001);
    (await fixture.anotherTokens()).close();
    expect(await fixture.storage.read.select().from(signingKeys)).toHaveLength(1);
    fixture.advance(0.001);
    await Promise.all([round(), round(), round()]);
    expect(fixture.tokens.jwks().keys).toHaveLength(2);
    const second = fixture.tokens.jwks().keys.find(({ kid }) => kid !== first!.kid)!;

    // Published, but not signing: who keeps the list for five minutes knows the key before its first token.
    const old = await issue(fixture.tokens);
    expect(headOf(old.token).kid).toBe(first!.kid);
    fixture.advance(
      untilMilliseconds(fixture.tokens.listKeys().data.find(({ id }) => id === first!.kid)!.superseded_at!) - 0.001,
    );
    expect(headOf((await issue(fixture.tokens)).token).kid).toBe(first!.kid);
    const last = await issue(fixture.tokens);
    fixture.advance(0.001);
    const young = await issue(fixture.tokens);
    expect(headOf(young.token).kid).toBe(second.kid);
    for (const tokens of [fixture.tokens, other]) {
      expect(await tokens.verify(old.token)).toMatchObject({ userId });
      expect(await tokens.verify(last.token)).toMatchObject({ userId });
      expect(await tokens.verify(young.token)).toMatchObject({ userId });
    }

    // The last token of the first key is over 15 minutes later, and the key a minute after that.
    fixture.advance(16 * minute - 1);
    expect(fixture.tokens.jwks().keys).toHaveLength(2);
    fixture.advance(1);
    expect(fixture.tokens.jwks().keys.map(({ kid }) => kid)).toEqual([second.kid]);
    fixture.advance(2 * day);
    await round();
    expect(await fixture.storage.read.select().from(signingKeys)).toHaveLength(1);
    const lines = (await fixture.storage.read.select().from(auditEvents)).filter(
      ({ eventType }) => eventType === "auth.signing_key.rotated",
    );
    expect(lines.map(({ resource }) => resource)).toEqual([`signing_keys/${first!.kid}`, `signing_keys/${second.kid}`]);
    other.close();
  });

  test("that another process made are looked for when a token names one, without waiting to be told", async () => {
    const other = await fixture.anotherTokens();
    const origin = { ipAddress: "192.0.2.1", userAgent: null };
    await other.rotate({ userId, origin, atOnce: true });
    const { token } = await issue(other);
    fixture.advance(1_001);
    expect(await verified(fixture.tokens, token)).toMatchObject({ userId });
    other.close();
  });

  test("unknown to all cost one look into the database a second, however many tokens name them", async () => {
    fixture.advance(1_001);
    const before = fixture.readCount();
    const { token } = await issue(fixture.tokens);
    const [head, claims, signature] = token.split(".");
    const unknown = Array.from({ length: 50 }, (_, index) => {
      const made = { ...JSON.parse(Buffer.from(head!, "base64url").toString()), kid: `unknown${index}` };
      return `${Buffer.from(JSON.stringify(made)).toString("base64url")}.${claims}.${signature}`;
    });
    const outcomes = await Promise.allSettled(unknown.map((each) => verified(fixture.tokens, each)));
    expect(outcomes.every(({ status }) => status === "rejected")).toBe(true);
    expect(fixture.readCount() - before).toBe(1);
  });

  test("made at once end those before them: every token so far is refused, here and elsewhere", async () => {
    const other = await fixture.anotherTokens();
    const { token } = await issue(fixture.tokens);
    await fixture.tokens.verify(token);
    await other.verify(token);
    const list = await fixture.tokens.rotate({ userId, origin: { ipAddress: null, userAgent: null }, atOnce: true });
    expect(list.data).toHaveLength(1);
    expect(list.data[0]).toMatchObject({ signs: true, superseded_at: null, retired_at: null });
    expect(verified(fixture.tokens, token)).rejects.toEqual(refusal);
    fixture.tellForeignWrite();
    await issue(other).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(verified(other, token)).rejects.toEqual(refusal);
    expect(await verified(fixture.tokens, (await issue(fixture.tokens)).token)).toMatchObject({ userId });
    other.close();
  });

  test("are at most eight at once: further ones wait, unless the old ones are not to be trusted", async () => {
    const origin = { ipAddress: null, userAgent: null };
    for (let count = 1; count < 8; count++) await fixture.tokens.rotate({ userId, origin, atOnce: false });
    expect(fixture.tokens.rotate({ userId, origin, atOnce: false })).rejects.toEqual(
      expect.objectContaining({ reason: "conflict", code: "SIGNING_KEY_COUNT_LIMIT" }),
    );
    expect((await fixture.tokens.rotate({ userId, origin, atOnce: true })).data).toHaveLength(1);
  });
});
