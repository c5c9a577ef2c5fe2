// Signing in: a password, a second factor where there is one, and a session for whoever has both; and tokens for API keys. Separate from
// sessions, which only knows who is signed in, and from registration, which knows passwords. Invariants:
//   1. Wrong, unknown and disabled are one answer after the same work; that an address is not confirmed is told after its right password.
//   2. No try costs a slow hash before its buckets let it. Nobody can keep an owner out who comes from where the owner came from before.
//   3. A code works once, a challenge takes five, a recovery code works once: each judged inside the write that uses it up.
//   4. What was proven holds for the user as read before it was: whose password, role or state changed meanwhile is refused in the write.
//   5. No password, code, secret or token is stored in a form that opens anything, logged, or put in an error.

import { createHash, createHmac } from "node:crypto";
import { networkOf } from "../../domain/address";
import type { Principal, RequestOrigin } from "../../domain/principal";
import { Agent } from "../../foundation/agent";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { Log } from "../../foundation/log";
import type { Random } from "../../foundation/random";
import type { SecretBox } from "../../foundation/secret-box";
import type { BucketStore, BucketWant } from "../../foundation/token-bucket";
import type { Storage, Tx } from "../../storage/storage";
import type { Audit } from "../audit/service";
import { type Identity, normalizeEmail, type PersonalData, type UserRecord } from "../identity/service";
import type { Keys } from "../keys/service";
import type { Registration } from "../registration/service";
import type { Opening, SessionKind, Sessions } from "../sessions/service";
import { scopeText, type Tokens } from "../tokens/service";
import type {
  LoginChallenge,
  LoginCookie,
  LoginRequest,
  LoginTokens,
  OauthToken,
  OauthTokenRequest,
  Proof,
  RecoveryCodes,
  SecondFactorRequest,
  TotpSetup,
} from "./model";
import {
  countAttempt,
  deleteAllOf,
  deleteFactor,
  deleteOldChallenges,
  type FactorRow,
  findChallenge,
  findFactor,
  hasOldChallenges,
  insertChallenge,
  noteStep,
  putFactor,
  putRecoveryCodes,
  useChallenge,
  useRecoveryCode,
} from "./repository";
import {
  acceptedStep,
  addressPolicy,
  base32,
  bytesOfBase32,
  challengeAttemptsMax,
  challengeMicroseconds,
  clientKeyText,
  devicePolicies,
  factorChanged,
  failure,
  formatRecoveryCode,
  grantedScopes,
  oauthError,
  otpauthUri,
  parseRecoveryCode,
  recoveryCodeBytes,
  recoveryCodeCount,
  recoveryUsed,
  totpSecretBytes,
  type Whose,
  wantsOf,
} from "./rules";

export interface LoginOptions {
  readonly storage: Pick<Storage, "write" | "read">;
  readonly identity: Pick<Identity, "findUser" | "findUserByEmail" | "userOnWire">;
  readonly keys: Pick<Keys, "authenticate">;
  readonly registration: Pick<Registration, "checkPassword" | "requirePasswordRoom">;
  readonly tokens: Pick<Tokens, "issue">;
  readonly sessions: Pick<Sessions, "open" | "pairOf" | "isKnownAddress" | "noteReauthenticated">;
  readonly audit: Pick<Audit, "append" | "note">;
  readonly buckets: BucketStore;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Somebody is signed in: with tokens in the answer, or with a cookie that goes beside it. */
export type SignedIn =
  | { readonly kind: "token"; readonly answer: LoginTokens }
  | {
      readonly kind: "cookie";
      readonly answer: LoginCookie;
      readonly cookie: string;
      readonly maxAgeSeconds: number;
    };

export interface Login {
  /**
   * Throws `unauthenticated` LOGIN_FAILED, `forbidden` EMAIL_UNVERIFIED, `limit-breached` LOGIN_LIMITED, `unavailable`
   * PASSWORDS_BUSY.
   */
  login(
    request: LoginRequest & { origin: RequestOrigin },
  ): Promise<SignedIn | { readonly kind: "challenge"; readonly answer: LoginChallenge }>;
  /** The second step. Throws `unauthenticated` MFA_FAILED, `limit-breached` LOGIN_LIMITED. */
  secondFactor(request: SecondFactorRequest & { origin: RequestOrigin }): Promise<SignedIn>;
  /** Notes that the principal's session has shown who it is again. Throws `forbidden` REAUTHENTICATION_FAILED. */
  reauthenticate(request: { principal: Principal; proof: Proof; origin: RequestOrigin }): Promise<void>;
  /** A fresh secret, which asks for nothing until it is confirmed. Throws `conflict` TOTP_ENABLED. */
  setUpTotp(principal: Principal): Promise<TotpSetup>;
  /** Throws `invalid` TOTP_CODE_WRONG, `conflict` TOTP_NOT_SET_UP, TOTP_ENABLED. */
  confirmTotp(request: { principal: Principal; code: string; origin: RequestOrigin }): Promise<RecoveryCodes>;
  /** Throws `forbidden` REAUTHENTICATION_FAILED, `conflict` TOTP_NOT_SET_UP. */
  disableTotp(request: { principal: Principal; proof: Proof; origin: RequestOrigin }): Promise<void>;
  /** A token for an API key (RFC 6749 section 4.4). Throws `unauthenticated` INVALID_CLIENT, `invalid` with RFC 6749's codes. */
  oauthToken(request: {
    body: OauthTokenRequest;
    /** HTTP Basic, taken apart. */
    basic: { id: string; secret: string } | null;
    peerAddress: string;
    origin: RequestOrigin;
  }): Promise<OauthToken>;
  readonly agents: readonly Agent[];
}

const sealPurpose = "totp";
const tokenBytes = 32;
const sweepEveryMilliseconds = 600_000;

export function createLogin(options: LoginOptions): Login {
  const { storage, identity, keys, registration, tokens, sessions, audit, buckets, secretBox, clock, random, log } =
    options;

  /** What every try costs its sender, before anything is looked up for it. */
  async function takeSendersTurn(turn: { origin: RequestOrigin; whose?: Whose }): Promise<void> {
    await take([{ key: networkOf(turn.origin.ipAddress), policy: addressPolicy }], turn);
  }

  /** Takes the account's tokens of one try, or refuses it. Says how to give the sender's back after a success. */
  async function takeTurn(turn: {
    account: string;
    origin: RequestOrigin;
    whose: Whose;
  }): Promise<() => Promise<void>> {
    const { origin, whose } = turn;
    const sender = networkOf(origin.ipAddress);
    // Asked for an unknown account too: it costs the same, and finds nothing.
    const isKnown = await sessions.isKnownAddress(whose.userId ?? "", origin.ipAddress ?? "");
    await take(wantsOf(turn.account, sender, isKnown), turn);
    return async () => {
      for (const policy of devicePolicies) await buckets.forget(`${turn.account} ${sender}`, policy);
    };
  }

  async function take(
    wants: readonly BucketWant[],
    { origin, whose = nobody }: { origin: RequestOrigin; whose?: Whose },
  ): Promise<void> {
    const decisions = await buckets.takeAll(wants);
    const refused = decisions.filter(({ allowed }) => !allowed);
    if (refused.length === 0) return;
    audit.note(failure({ code: "LOGIN_LIMITED", origin, ...whose }));
    throw new BsoptError({
      reason: "limit-breached",
      code: "LOGIN_LIMITED",
      detail: "Too many tries to sign in; come back after the time the answer names.",
      retryAfterSeconds: Math.max(1, ...refused.map(({ retryAfterSeconds }) => retryAfterSeconds)),
    });
  }

  async function login(request: Parameters<Login["login"]>[0]): ReturnType<Login["login"]> {
    const { email, password, cookie = false, origin } = request;
    // What is no address may be anything, even the password typed into the wrong field: the audit log must not keep it.
    const address = addressIn(email);
    await takeSendersTurn({ origin, whose: whoseIs(address, null) });
    registration.requirePasswordRoom();
    const known = await identity.findUserByEmail(email);
    const whose = whoseIs(address, known);
    // What is no address at all is an account of its own.
    const account = nameOf(address ?? email.trim().toLowerCase());
    const giveBack = await takeTurn({ account, origin, whose });
    const user = await registration.checkPassword(email, password);
    if (!user || user.disabledAt !== null || user.erasedAt !== null) {
      audit.note(failure({ code: "LOGIN_FAILED", origin, ...whose }));
      throw loginFailed();
    }
    await giveBack();
    if (user.emailVerifiedAt === null) {
      audit.note(failure({ code: "EMAIL_UNVERIFIED", origin, ...whose }));
      throw new BsoptError({
        reason: "forbidden",
        code: "EMAIL_UNVERIFIED",
        detail: "The address has not been confirmed yet; the mail that was sent to it says how.",
      });
    }
    const kind = cookie ? "cookie" : "token";
    const proven = await storage.write(async (tx) => {
      if (!(await isUnchanged(tx, user))) return null;
      const factor = await findFactor(tx, user.id);
      if (factor?.confirmedAt != null) return insertedChallenge(tx, user, kind);
      return openFor(tx, { user, kind, origin, factor: "none" });
    });
    if (proven === null) {
      audit.note(failure({ code: "LOGIN_FAILED", origin, ...whose }));
      throw loginFailed();
    }
    return proven.kind === "challenge" ? proven : signedIn(user, proven);
  }

  /**
   * Whose try it was, for the audit log. An address of nobody's is no more than a word there that is the same for the same address: erasing
   * could not find it in a row that belongs to no user.
   */
  function whoseIs(address: string | null, known: UserRecord | null): Whose {
    if (address === null) return nobody;
    if (known !== null) return { userId: known.id, personal: { email: address } };
    const word = createHmac("sha256", secretBox.keyFor("audit address")).update(address, "utf8").digest("hex");
    return { userId: null, account: word.slice(0, 16) };
  }

  /**
   * Whether nothing has happened to the user that ends sessions since the record was read. A slow hash waits its turn and takes its
   * time: a password that was right when it was looked up may have been changed by the time it is known to be right.
   */
  async function isUnchanged(tx: Tx, user: UserRecord): Promise<boolean> {
    const present = await identity.findUser(user.id, tx);
    return present !== null && present.disabledAt === null && present.sessionsValidFrom === user.sessionsValidFrom;
  }

  async function insertedChallenge(
    tx: Tx,
    user: UserRecord,
    kind: SessionKind,
  ): Promise<{ kind: "challenge"; answer: LoginChallenge }> {
    const token = newToken();
    const now = clock.nowMicroseconds();
    await insertChallenge(tx, {
      tokenHash: nameOf(token),
      userId: user.id,
      kind,
      createdAt: now,
      expiresAt: now + challengeMicroseconds,
      attempts: 0,
    });
    return { kind: "challenge", answer: { mfa_required: true, mfa_token: token } };
  }

  async function secondFactor(request: Parameters<Login["secondFactor"]>[0]): Promise<SignedIn> {
    const { mfa_token: token, code, origin } = request;
    const tokenHash = nameOf(token);
    const seen = await findChallenge(storage.read, tokenHash);
    const user = seen && (await identity.findUser(seen.userId));
    const account = `second ${seen?.userId ?? ""}`;
    await takeSendersTurn({ origin });
    const giveBack = await takeTurn({ account, origin, whose: { userId: user?.id ?? null } });
    const opened =
      user && user.disabledAt === null
        ? await storage.write(async (tx) => {
            const now = clock.nowMicroseconds();
            const found = await findChallenge(tx, tokenHash);
            if (!found || found.usedAt !== null || now >= found.expiresAt) return null;
            // A password changed or an account ended since: what was right then is nothing now.
            if (found.attempts >= challengeAttemptsMax || found.createdAt < user.sessionsValidFrom) return null;
            if (!(await isUnchanged(tx, user))) return null;
            const factor = await findFactor(tx, user.id);
            const means = factor?.confirmedAt == null ? null : await useCode(tx, { factor, code, now });
            if (means === null) {
              await countAttempt(tx, tokenHash);
              return null;
            }
            await useChallenge(tx, tokenHash, now);
            if (means === "recovery") await audit.append(tx, recoveryUsed(user.id, origin));
            return openFor(tx, { user, kind: found.kind, origin, factor: means });
          })
        : null;
    if (!opened) {
      audit.note(failure({ code: "MFA_FAILED", userId: user?.id ?? null, origin }));
      throw new BsoptError({
        reason: "unauthenticated",
        code: "MFA_FAILED",
        detail: "The code is not right, or the login took too long; try again, or sign in anew.",
      });
    }
    await giveBack();
    return signedIn(user!, opened);
  }

  /** Uses a code of the factor, or a recovery code, up; null: it is neither. */
  async function useCode(
    tx: Tx,
    { factor, code, now }: { factor: FactorRow; code: string; now: EpochMicroseconds },
  ): Promise<"totp" | "recovery" | null> {
    const step = acceptedStep(secretOf(factor), code, { now, lastStep: factor.lastStep });
    if (step !== null) {
      await noteStep(tx, { userId: factor.userId, lastStep: step });
      return "totp";
    }
    const recovery = parseRecoveryCode(code);
    if (recovery === null) return null;
    return (await useRecoveryCode(tx, { userId: factor.userId, codeHash: nameOf(recovery), now })) ? "recovery" : null;
  }

  /** A fresh session with its audit line. */
  async function openFor(
    tx: Tx,
    { user, kind, origin, factor }: { user: UserRecord; kind: SessionKind; origin: RequestOrigin; factor: string },
  ): Promise<Opening> {
    const opening = await sessions.open(tx, { user, kind, origin });
    await audit.append(tx, {
      eventType: "auth.login.success",
      userId: user.id,
      resource: `login_sessions/${opening.sessionId}`,
      action: "login",
      status: "success",
      details: { kind, second_factor: factor },
      origin,
    });
    return opening;
  }

  async function signedIn(user: UserRecord, opening: Opening): Promise<SignedIn> {
    log.info({ user_id: user.id, session_id: opening.sessionId }, "signed in");
    const wire = identity.userOnWire(user);
    if (opening.kind === "token") {
      return { kind: "token", answer: { ...(await sessions.pairOf(user, opening)), user: wire } };
    }
    const maxAgeSeconds = Number((opening.expiresAt - clock.nowMicroseconds()) / 1_000_000n);
    const answer = { csrf_token: opening.csrfToken, expires_in: maxAgeSeconds, user: wire };
    return { kind: "cookie", answer, cookie: opening.cookie, maxAgeSeconds };
  }

  async function setUpTotp(principal: Principal): Promise<TotpSetup> {
    const { userId } = principal;
    const user = await identity.findUser(userId);
    const secret = base32(random.bytes(totpSecretBytes));
    // The user's id is sealed in, so that one user's row is no factor of another's.
    const sealedSecret = secretBox.seal(sealPurpose, `${userId} ${secret}`);
    await storage.write(async (tx) => {
      if ((await findFactor(tx, userId))?.confirmedAt != null) throw totpEnabled();
      await putFactor(tx, { userId, sealedSecret, now: clock.nowMicroseconds() });
    });
    return { secret, otpauth_uri: otpauthUri(secret, user?.email ?? user?.name ?? userId) };
  }

  async function confirmTotp(request: Parameters<Login["confirmTotp"]>[0]): Promise<RecoveryCodes> {
    const { principal, code, origin } = request;
    const { userId } = principal;
    await takeSendersTurn({ origin });
    const giveBack = await takeTurn({ account: `second ${userId}`, origin, whose: { userId } });
    const codes = Array.from({ length: recoveryCodeCount }, () => formatRecoveryCode(random.bytes(recoveryCodeBytes)));
    await storage.write(async (tx) => {
      const now = clock.nowMicroseconds();
      const factor = await findFactor(tx, userId);
      if (!factor) throw totpNotSetUp();
      if (factor.confirmedAt !== null) throw totpEnabled();
      const lastStep = acceptedStep(secretOf(factor), code, { now, lastStep: factor.lastStep });
      if (lastStep === null) {
        throw new BsoptError({
          reason: "invalid",
          code: "TOTP_CODE_WRONG",
          detail: "The code is not right; look at the device's clock.",
          faults: [{ pointer: "/code", code: "TOTP_CODE_WRONG", detail: "is not the code of this moment" }],
        });
      }
      await noteStep(tx, { userId, lastStep, confirmedAt: now });
      const hashes = codes.map((text) => nameOf(parseRecoveryCode(text)!));
      await putRecoveryCodes(tx, userId, hashes);
      await audit.append(tx, factorChanged("auth.totp.enabled", userId, origin));
    });
    await giveBack();
    return { recovery_codes: codes };
  }

  /** Whether a session's user can show the password or a code; `then` runs in the write that uses the code up. Throws where not. */
  async function proven(
    { principal, proof, origin }: { principal: Principal; proof: Proof; origin: RequestOrigin },
    then: (tx: Tx, factor: FactorRow | null, now: EpochMicroseconds) => Promise<void>,
  ): Promise<void> {
    const { userId } = principal;
    await takeSendersTurn({ origin });
    const giveBack = await takeTurn({ account: `second ${userId}`, origin, whose: { userId } });
    const user = await identity.findUser(userId);
    const isPasswordRight =
      proof.password !== undefined && (await registration.checkPassword(user?.email ?? "", proof.password)) !== null;
    const isDone = await storage.write(async (tx) => {
      const factor = await findFactor(tx, userId);
      const now = clock.nowMicroseconds();
      const isCodeRight =
        proof.code !== undefined &&
        factor?.confirmedAt != null &&
        (await useCode(tx, { factor, code: proof.code, now })) !== null;
      if (!isPasswordRight && !isCodeRight) return false;
      // A password changed since it was looked at has ended the session as well.
      if (user === null || !(await isUnchanged(tx, user))) return false;
      await then(tx, factor, now);
      return true;
    });
    if (!isDone) {
      audit.note(failure({ code: "REAUTHENTICATION_FAILED", userId, origin }));
      throw new BsoptError({
        reason: "forbidden",
        code: "REAUTHENTICATION_FAILED",
        detail: "The password or the code is not right.",
      });
    }
    await giveBack();
  }

  function reauthenticate(request: Parameters<Login["reauthenticate"]>[0]): Promise<void> {
    const { principal, proof, origin } = request;
    const by = proof.password === undefined ? "code" : "password";
    return proven(request, (tx, _factor, now) => sessions.noteReauthenticated(tx, { principal, by, origin, now }));
  }

  function disableTotp(request: Parameters<Login["disableTotp"]>[0]): Promise<void> {
    const { userId } = request.principal;
    return proven(request, async (tx, factor) => {
      if (!factor) throw totpNotSetUp();
      await deleteFactor(tx, userId);
      await audit.append(tx, factorChanged("auth.totp.disabled", userId, request.origin));
    });
  }

  async function oauthToken(request: Parameters<Login["oauthToken"]>[0]): Promise<OauthToken> {
    const { body, basic, peerAddress, origin } = request;
    if (body.grant_type !== "client_credentials") throw oauthError("unsupported_grant_type");
    const apiKey = clientKeyText({ basic, clientId: body.client_id, clientSecret: body.client_secret });
    const { userId, keyId, held } = await keyHolder(apiKey, peerAddress, origin);
    const scopes = grantedScopes(body.scope, held);
    const issued = await tokens.issue({ userId, sessionId: keyId, isForKey: true, scopes });
    await storage.write((tx) =>
      audit.append(tx, {
        eventType: "oauth.token.issued",
        userId,
        resource: `api_keys/${keyId}`,
        action: "issue",
        status: "success",
        details: { token_id: issued.tokenId, scope: scopeText(scopes) },
        origin,
      }),
    );
    return {
      access_token: issued.token,
      token_type: "Bearer",
      expires_in: issued.expiresInSeconds,
      scope: scopeText(scopes),
    };
  }

  async function keyHolder(apiKey: string, peerAddress: string, origin: RequestOrigin) {
    try {
      const { userId, permissions: held, credential } = await keys.authenticate({ apiKey, peerAddress });
      return { userId, held, keyId: credential.id };
    } catch (error) {
      if (!(error instanceof BsoptError) || error.reason !== "unauthenticated") throw error;
      audit.note({
        eventType: "oauth.token.issued",
        userId: null,
        resource: null,
        action: "issue",
        status: "failure",
        details: { code: error.code },
        origin,
      });
      throw oauthError("invalid_client");
    }
  }

  function secretOf({ userId, sealedSecret }: FactorRow): Uint8Array {
    const [owner, secret = ""] = secretBox.open(sealPurpose, sealedSecret).split(" ");
    if (owner !== userId) {
      throw new BsoptError({
        reason: "internal",
        code: "SEAL_BROKEN",
        detail: "A second factor stands with another user than it was made for.",
      });
    }
    return bytesOfBase32(secret);
  }

  function newToken(): string {
    return Buffer.from(random.bytes(tokenBytes)).toString("base64url");
  }

  return {
    login,
    secondFactor,
    reauthenticate,
    setUpTotp,
    confirmTotp,
    disableTotp,
    oauthToken,
    agents: [
      new Agent({
        name: "login-challenge-sweep",
        intervalMilliseconds: sweepEveryMilliseconds,
        failuresMax: 5,
        clock,
        round: async () => {
          const before = clock.nowMicroseconds();
          if (await hasOldChallenges(storage.read, before)) {
            await storage.write((tx) => deleteOldChallenges(tx, before));
          }
        },
        onFailure: (error) =>
          log.warn({ err: error }, "sweeping logins that were not finished failed; it will be tried again"),
      }),
    ],
  };
}

const nobody: Whose = { userId: null };

function loginFailed(): BsoptError {
  return new BsoptError({
    reason: "unauthenticated",
    code: "LOGIN_FAILED",
    detail: "The address and the password do not open an account here.",
  });
}

function totpEnabled(): BsoptError {
  return new BsoptError({ reason: "conflict", code: "TOTP_ENABLED", detail: "There is a second factor already." });
}

function totpNotSetUp(): BsoptError {
  return new BsoptError({ reason: "conflict", code: "TOTP_NOT_SET_UP", detail: "There is no second factor." });
}

/** What is held about people here, for exporting and erasing it: that there is a second factor, and since when. */
export function loginPersonalData(storage: Pick<Storage, "read">): PersonalData {
  return {
    name: "second_factors",
    collect: async (userId) => {
      const factor = await findFactor(storage.read, userId);
      return factor === null ? [] : [{ kind: "totp", is_confirmed: factor.confirmedAt !== null }];
    },
    erase: (tx, { id }) => deleteAllOf(tx, id),
  };
}

/** SHA-256: of random texts, or of an address that is only to be a bucket's name. */
function nameOf(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

/** The one spelling of all that mean one address, or null where the text is none. */
function addressIn(email: string): string | null {
  try {
    return normalizeEmail(email);
  } catch {
    return null;
  }
}
