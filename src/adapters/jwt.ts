// Signed tokens as @elysiajs/jwt makes and checks them, for Ed25519 keys only. Separate because the plugin has traps that nobody
// else should know: an instance that holds a private key signs but verifies nothing, one instance knows one key, and without options
// it accepts other algorithms, issuers and ages. So there is one instance to sign and one to verify for each key, and every option
// is given at each use. It decides nothing about claims and must never look at what a token says of its own key or algorithm.
// Sources: RFC 7519, RFC 8037 (EdDSA), RFC 8410 section 7 (the key's DER), RFC 9068 section 2.1 (typ at+jwt).

import { createPrivateKey, createPublicKey } from "node:crypto";
import { jwt } from "@elysiajs/jwt";

export const tokenAlgorithm = "EdDSA";
export const tokenType = "at+jwt";

/** An Ed25519 key pair as JSON Web Keys (RFC 8037). */
export interface KeyPair {
  readonly publicJwk: PublicJwk;
  readonly privateJwk: PublicJwk & { readonly d: string };
}

export interface PublicJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  /** The public key, 32 bytes as base64url. */
  readonly x: string;
}

/** Bytes of randomness that a key pair is made of. */
export const keySeedBytes = 32;

/** PKCS #8 of an Ed25519 private key, up to its 32 bytes. */
const privateKeyHead = Buffer.from("302e020100300506032b657004220420", "hex");

/** The key pair of a 32-byte seed, the same for the same seed. */
export function keyPairOf(seed: Uint8Array): KeyPair {
  const der = Buffer.concat([privateKeyHead, seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  const publicJwk: PublicJwk = { kty: "OKP", crv: "Ed25519", x: x! };
  return { publicJwk, privateJwk: { ...publicJwk, d: Buffer.from(seed).toString("base64url") } };
}

export type TokenClaims = Readonly<Record<string, unknown>>;

export interface TokenSigner {
  /** The head that every token of this key has, as it stands in the token: a token with any other was not made with it. */
  readonly head: string;
  /** A signed token. `iat` is set by the plugin, from the machine's own clock; every other claim is the caller's. */
  sign(claims: Readonly<Record<string, string | number>> & { exp: number }): Promise<string>;
}

export interface TokenVerifier {
  /** The claims of a token that this key signed and that is what the expectations say, else null. Never throws. */
  verify(token: string, expected: TokenExpectations): Promise<TokenClaims | null>;
}

export interface TokenExpectations {
  readonly issuer: string;
  readonly audience: string;
  readonly requiredClaims: readonly string[];
  /** Seconds since `iat`, at most. */
  readonly ageSecondsMax: number;
  /** Milliseconds since the epoch. */
  readonly nowMilliseconds: number;
}

/** How far the machine's clock, which writes `iat`, may be ahead of the caller's. The caller judges `exp` to the microsecond. */
const clockToleranceSeconds = 2;

/** What every token of the key `kid` begins with. */
export function tokenHead(kid: string): string {
  return Buffer.from(JSON.stringify({ alg: tokenAlgorithm, kid, typ: tokenType })).toString("base64url");
}

export async function createSigner(privateJwk: KeyPair["privateJwk"], kid: string): Promise<TokenSigner> {
  const key = await importKey(privateJwk, "sign");
  const { sign } = jwt({ name: "jwt", secret: key, alg: tokenAlgorithm, typ: tokenType, kid }).decorator.jwt;
  return { head: tokenHead(kid), sign: (claims) => sign(claims) };
}

export async function createVerifier(publicJwk: PublicJwk): Promise<TokenVerifier> {
  const key = await importKey(publicJwk, "verify");
  const { verify } = jwt({ name: "jwt", secret: key }).decorator.jwt;
  return {
    async verify(token, { issuer, audience, requiredClaims, ageSecondsMax, nowMilliseconds }) {
      const claims = await verify(token, {
        algorithms: [tokenAlgorithm],
        typ: tokenType,
        issuer,
        audience,
        requiredClaims: [...requiredClaims],
        maxTokenAge: ageSecondsMax,
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(nowMilliseconds),
      });
      return claims === false ? null : claims;
    },
  };
}

/** A key object that cannot be exported again, and does one of the two. */
function importKey(jwk: PublicJwk, use: "sign" | "verify"): Promise<CryptoKey> {
  return crypto.subtle.importKey("jwk", { ...jwk }, "Ed25519", false, [use]);
}
