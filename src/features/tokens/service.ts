// Access tokens: signing them, telling whether one is ours, and the keys for both. Separate from login, which decides who is given
// one and whether its session still lives: this file answers only what a token says. Invariants:
//   1. A token's head is looked up whole among the heads of living keys; nothing in it is ever followed, fetched or obeyed.
//   2. A private key leaves this file sealed or not at all, and is never logged.
//   3. A key is published before it signs and verifies until its last token is over, so rotating logs nobody out.
//   4. Every process sees one set of keys: the database's. A head unknown here is looked for there, at most once a second.

import { createHash } from "node:crypto";
import {
  createSigner,
  createVerifier,
  keyPairOf,
  keySeedBytes,
  type PublicJwk,
  type TokenSigner,
  type TokenVerifier,
  tokenAlgorithm,
  tokenHead,
} from "../../adapters/jwt";
import type { Permission } from "../../domain/permission";
import { noOrigin, type RequestOrigin } from "../../domain/principal";
import { Agent } from "../../foundation/agent";
import { assert } from "../../foundation/assert";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import { randomBase62 } from "../../foundation/identifier";
import type { Log } from "../../foundation/log";
import type { Random } from "../../foundation/random";
import type { SecretBox } from "../../foundation/secret-box";
import { finish, type IdempotencyTicket } from "../../storage/idempotency";
import type { Storage, Tx } from "../../storage/storage";
import type { Audit } from "../audit/service";
import type { JwksDocument, SigningKey, SigningKeyList } from "./model";
import { deleteEnded, endKeys, hasEnded, insertKey, liveKeys, type SigningKeyRow } from "./repository";
import {
  endOfPredecessors,
  isRotationDue,
  meaningOf,
  requiredClaims,
  scopeText,
  signerAmong,
  type TokenMeaning,
  tokenAudience,
  tokenIssuer,
  tokenLengthMax,
  verifies,
} from "./rules";

export type { TokenMeaning } from "./rules";
export { scopesOf, scopeText } from "./rules";

export interface TokensOptions {
  readonly storage: Pick<Storage, "write" | "read" | "onForeignWrite">;
  readonly secretBox: SecretBox;
  readonly audit: Pick<Audit, "append">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How long a token works, at most 900 seconds; read at each, for it may change. */
  readonly lifetimeSeconds: number;
  /** Days after which a new key follows. */
  readonly keyDays: number;
  /** Narrower bounds of what is kept in memory, for tests. */
  readonly limits?: { readonly verifiedCountMax?: number; readonly verifyingCountMax?: number };
}

export interface IssuedToken {
  readonly token: string;
  readonly tokenId: string;
  readonly expiresInSeconds: number;
}

export interface Tokens {
  /** A signed token for a login session or (`keyId`) for an API key. */
  issue(request: {
    userId: string;
    sessionId: string;
    isForKey: boolean;
    scopes: ReadonlySet<Permission>;
  }): Promise<IssuedToken>;
  /**
   * What the token says. Throws `unauthenticated` TOKEN_INVALID where it is not one of ours or is over. At once where it was seen
   * before, and then it is the same object each time.
   */
  verify(token: string): TokenMeaning | Promise<TokenMeaning>;
  /** The public keys, for /.well-known/jwks.json. */
  jwks(): JwksDocument;
  listKeys(): SigningKeyList;
  /** Makes the next key. `atOnce`: the ones before are not to be trusted; what they signed is refused from now on. */
  rotate(request: {
    userId: string | null;
    origin: RequestOrigin;
    atOnce: boolean;
    idempotency?: IdempotencyTicket | null;
  }): Promise<SigningKeyList>;
  readonly agents: readonly Agent[];
  close(): void;
}

interface LiveKey {
  readonly row: SigningKeyRow;
  readonly publicJwk: PublicJwk;
  readonly verifier: TokenVerifier;
  signer: Promise<TokenSigner> | null;
}

interface Verified {
  readonly meaning: TokenMeaning;
  readonly head: string;
}

/** A token lives no longer, whatever it was given by the settings of its time: what verifies and keeps keys goes by this. */
const lifetimeSecondsMax = 900;
const sealPurpose = "signing-key";
const keyIdLength = 16;
const liveKeyCountMax = 8;
const verifiedCountMaxDefault = 10_000;
const verifyingCountMaxDefault = 1_000;
const reloadEveryMilliseconds = 1_000;
const roundEveryMilliseconds = 60_000;
const dayMicroseconds = 86_400_000_000n;

/** Reads the keys, making the first where there is none. Throws `internal` SEAL_BROKEN where the master key is another one. */
export async function openTokens(options: TokensOptions): Promise<Tokens> {
  const { storage, secretBox, audit, clock, random, log } = options;
  const { verifiedCountMax = verifiedCountMaxDefault, verifyingCountMax = verifyingCountMaxDefault } =
    options.limits ?? {};
  const lifetimeMicroseconds = BigInt(lifetimeSecondsMax) * 1_000_000n;
  const keyMicroseconds = BigInt(options.keyDays) * dayMicroseconds;

  /** By the head that their tokens have. */
  let keys = new Map<string, LiveKey>();
  /** By the SHA-256 of the token. */
  const verified = new Map<string, Verified>();
  const verifying = new Map<string, Promise<TokenMeaning>>();
  let reloading: Promise<void> | null = null;
  let reloadedMilliseconds = Number.NEGATIVE_INFINITY;

  function reload(): Promise<void> {
    reloading ??= readKeys().finally(() => {
      reloading = null;
    });
    return reloading;
  }

  async function readKeys(): Promise<void> {
    const rows = await liveKeys(storage.read, clock.nowMicroseconds());
    const read = new Map<string, LiveKey>();
    for (const row of rows) {
      const head = tokenHead(row.id);
      const known = keys.get(head);
      const publicJwk = known?.publicJwk ?? (JSON.parse(row.publicKey) as PublicJwk);
      const verifier = known?.verifier ?? (await createVerifier(publicJwk));
      read.set(head, { row, publicJwk, verifier, signer: known?.signer ?? null });
    }
    keys = read;
    reloadedMilliseconds = clock.monotonicMilliseconds();
  }

  async function issue(request: Parameters<Tokens["issue"]>[0]): Promise<IssuedToken> {
    const now = clock.nowMicroseconds();
    const { lifetimeSeconds } = options;
    assert(lifetimeSeconds > 0 && lifetimeSeconds <= lifetimeSecondsMax, `a token would live ${lifetimeSeconds} s`);
    const row = signerAmong(rowsOf(keys), now);
    const key = row && keys.get(tokenHead(row.id));
    if (!key) {
      throw new BsoptError({
        reason: "unavailable",
        code: "SIGNING_KEY_MISSING",
        detail: "There is no key to sign with; it will be made.",
        retryAfterSeconds: 5,
      });
    }
    key.signer ??= createSigner(JSON.parse(secretBox.open(sealPurpose, key.row.sealedPrivateKey)), key.row.id);
    const tokenId = randomBase62(22, random);
    const signer = await key.signer;
    const token = await signer.sign({
      iss: tokenIssuer,
      aud: tokenAudience,
      sub: request.userId,
      jti: tokenId,
      sid: request.sessionId,
      ...(request.isForKey && { client_id: request.sessionId }),
      scope: scopeText(request.scopes),
      exp: Number(now / 1_000_000n) + lifetimeSeconds,
    });
    return { token, tokenId, expiresInSeconds: lifetimeSeconds };
  }

  function verify(token: string): TokenMeaning | Promise<TokenMeaning> {
    if (token.length > tokenLengthMax) throw refused();
    const name = createHash("sha256").update(token, "utf8").digest("base64url");
    const known = verified.get(name);
    const now = clock.nowMicroseconds();
    if (known) {
      const key = keys.get(known.head);
      if (key && verifies(key.row, now) && now < known.meaning.expiresAt) return known.meaning;
      verified.delete(name);
      throw refused();
    }
    const running = verifying.get(name);
    if (running) return running;
    const head = headOf(token);
    if (verifying.size >= verifyingCountMax) {
      throw new BsoptError({
        reason: "unavailable",
        code: "TOO_MANY_TOKENS",
        detail: "Too many tokens are being looked at at once.",
        retryAfterSeconds: 1,
      });
    }
    const looking = lookAt(token, head, name).finally(() => verifying.delete(name));
    verifying.set(name, looking);
    return looking;
  }

  async function lookAt(token: string, head: string, name: string): Promise<TokenMeaning> {
    let key = keys.get(head);
    if (!key && clock.monotonicMilliseconds() - reloadedMilliseconds >= reloadEveryMilliseconds) {
      await reload();
      key = keys.get(head);
    }
    const now = clock.nowMicroseconds();
    if (!key || !verifies(key.row, now)) throw refused();
    const claims = await key.verifier.verify(token, {
      issuer: tokenIssuer,
      audience: tokenAudience,
      requiredClaims,
      ageSecondsMax: lifetimeSecondsMax,
      nowMilliseconds: Number(now / 1000n),
    });
    const meaning = claims && meaningOf(claims, lifetimeSecondsMax);
    if (!meaning || now >= meaning.expiresAt) throw refused();
    verified.set(name, { meaning: Object.freeze(meaning), head });
    if (verified.size > verifiedCountMax) verified.delete(verified.keys().next().value!);
    return meaning;
  }

  /** A new key, the others on their way out, in the caller's transaction. */
  async function followUp(tx: Tx, { atOnce, isFirst }: { atOnce: boolean; isFirst: boolean }): Promise<SigningKeyRow> {
    const now = clock.nowMicroseconds();
    const { publicJwk, privateJwk } = keyPairOf(random.bytes(keySeedBytes));
    const row = {
      id: randomBase62(keyIdLength, random),
      algorithm: tokenAlgorithm,
      publicKey: JSON.stringify(publicJwk),
      sealedPrivateKey: secretBox.seal(sealPurpose, JSON.stringify(privateJwk)),
      createdAt: now,
      supersededAt: null,
      retiredAt: null,
    };
    if (!isFirst) await endKeys(tx, { ...endOfPredecessors({ now, lifetimeMicroseconds, atOnce }), atOnce });
    await insertKey(tx, row);
    return row;
  }

  /** Makes the next key where one is due, once among all processes: what is due is read under the writer's lock. */
  async function rotateWhereDue(): Promise<void> {
    const now = clock.nowMicroseconds();
    if (!isRotationDue(rowsOf(keys), now, keyMicroseconds)) return;
    const madeId = await storage.write(async (tx) => {
      const rows = await liveKeys(tx, now);
      if (!isRotationDue(rows, now, keyMicroseconds)) return null;
      const { id } = await followUp(tx, { atOnce: false, isFirst: rows.length === 0 });
      await note(tx, { keyId: id, userId: null, origin: noOrigin, atOnce: false });
      return id;
    });
    if (madeId !== null) log.info({ signing_key_id: madeId }, "a new key for access tokens was made");
    await reload();
  }

  function note(tx: Tx, act: { keyId: string; userId: string | null; origin: RequestOrigin; atOnce: boolean }) {
    return audit.append(tx, {
      eventType: "auth.signing_key.rotated",
      userId: act.userId,
      resource: `signing_keys/${act.keyId}`,
      action: "rotate",
      status: "success",
      details: { at_once: act.atOnce },
      origin: act.origin,
    });
  }

  async function rotate(request: Parameters<Tokens["rotate"]>[0]): Promise<SigningKeyList> {
    const { userId, origin, atOnce } = request;
    const list = await storage.write(async (tx) => {
      const now = clock.nowMicroseconds();
      const rows = await liveKeys(tx, now);
      if (rows.length >= liveKeyCountMax && !atOnce) {
        throw new BsoptError({
          reason: "conflict",
          code: "SIGNING_KEY_COUNT_LIMIT",
          detail: `There are ${liveKeyCountMax} living keys; wait until some are over.`,
        });
      }
      const { id } = await followUp(tx, { atOnce, isFirst: rows.length === 0 });
      await note(tx, { keyId: id, userId, origin, atOnce });
      const made = listOf(await liveKeys(tx, now), now);
      await finish(tx, request.idempotency ?? null, { status: 201, body: JSON.stringify(made) });
      return made;
    });
    await reload();
    log.info({ user_id: userId, at_once: atOnce }, "a new key for access tokens was asked for and made");
    return list;
  }

  /** Keys come and go with time and other processes: read anew, made where due, deleted a day after their end. */
  async function round(): Promise<void> {
    await reload();
    await rotateWhereDue();
    const endedBefore = clock.nowMicroseconds() - dayMicroseconds;
    if (await hasEnded(storage.read, endedBefore)) await storage.write((tx) => deleteEnded(tx, endedBefore));
  }

  await reload();
  await rotateWhereDue();
  // Opened now, so that a master key of another database stops the start and not the first sign-in.
  for (const { row } of keys.values()) secretBox.open(sealPurpose, row.sealedPrivateKey);

  const stopListening = storage.onForeignWrite(() => {
    reload().catch((error) => log.warn({ err: error }, "the keys for access tokens could not be read anew"));
  });
  return {
    issue,
    verify,
    jwks: () => {
      const now = clock.nowMicroseconds();
      const live = [...keys.values()].filter(({ row }) => verifies(row, now));
      return {
        keys: live.map(({ row, publicJwk }) => ({ ...publicJwk, kid: row.id, use: "sig", alg: tokenAlgorithm })),
      };
    },
    listKeys: () => listOf(rowsOf(keys), clock.nowMicroseconds()),
    rotate,
    agents: [
      new Agent({
        name: "signing-keys",
        intervalMilliseconds: roundEveryMilliseconds,
        failuresMax: 5,
        clock,
        round,
        onFailure: (error) =>
          log.warn({ err: error }, "looking after the keys for access tokens failed; it will be tried again"),
      }),
    ],
    close: stopListening,
  };
}

/**
 * The head of a token's text, which must have three parts of base64url and nothing else. The last of a signature's 86 letters holds two
 * bits; one that says more is another spelling of a token, and a token has one.
 */
function headOf(token: string): string {
  const parts = /^([A-Za-z0-9_-]{1,512})\.[A-Za-z0-9_-]{1,1400}\.[A-Za-z0-9_-]{85}[AQgw]$/.exec(token);
  if (!parts) throw refused();
  return parts[1]!;
}

function rowsOf(keys: ReadonlyMap<string, LiveKey>): SigningKeyRow[] {
  return [...keys.values()].map(({ row }) => row);
}

function listOf(rows: readonly SigningKeyRow[], now: EpochMicroseconds): SigningKeyList {
  const signer = signerAmong(rows, now);
  const moment = (at: EpochMicroseconds | null) => (at === null ? null : formatTimestamp(at));
  return {
    data: rows
      .filter((row) => verifies(row, now))
      .map(
        (row): SigningKey => ({
          id: row.id,
          algorithm: "EdDSA",
          signs: row.id === signer?.id,
          created_at: formatTimestamp(row.createdAt),
          superseded_at: moment(row.supersededAt),
          retired_at: moment(row.retiredAt),
        }),
      ),
  };
}

/** The one answer to every token that is not good now: what is wrong with it is no client's business. */
function refused(): BsoptError {
  return new BsoptError({
    reason: "unauthenticated",
    code: "TOKEN_INVALID",
    detail: "The access token is not valid here, or is over.",
  });
}
