// Tokens that somebody made up: each is a good one with one thing wrong. Signed with the real key wherever a signature could save
// them, so that what refuses them is the rule in their name and nothing else.

import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { KeyPair } from "../../src/adapters/jwt";

export interface TokenMaterial {
  /** A token that is good at `nowSeconds`. */
  readonly good: string;
  readonly keyPair: KeyPair;
  readonly nowSeconds: number;
}

type Fields = Record<string, unknown>;

const encoded = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const decoded = (part: string): Fields => JSON.parse(Buffer.from(part, "base64url").toString());

/** Any head and claims (objects, or the JSON text itself), signed with the real key. */
export function signedWith(keyPair: KeyPair, head: unknown, claims: unknown): string {
  const text = `${encoded(head)}.${encoded(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), keyOf(keyPair)).toString("base64url")}`;
}

function keyOf({ privateJwk }: KeyPair): KeyObject {
  return createPrivateKey({ key: { ...privateJwk }, format: "jwk" });
}

/** What is wrong with each, and the token. */
export function craftedTokens({ good, keyPair, nowSeconds }: TokenMaterial): (readonly [string, string])[] {
  const [headPart, claimsPart, signature] = good.split(".") as [string, string, string];
  const head = decoded(headPart);
  const claims = decoded(claimsPart);
  const real = (changedHead: Fields, changedClaims: Fields = {}) =>
    signedWith(keyPair, { ...head, ...changedHead }, { ...claims, ...changedClaims });
  const without = (name: string) =>
    signedWith(keyPair, head, Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name)));
  const mac = (alg: string, digest: string, key: string | Buffer) => {
    const text = `${encoded({ ...head, alg })}.${claimsPart}`;
    return `${text}.${createHmac(digest, key).update(text).digest("base64url")}`;
  };
  const publicBytes = Buffer.from(keyPair.publicJwk.x, "base64url");
  const stranger = generateKeyPairSync("ed25519");
  const strangerJwk = stranger.publicKey.export({ format: "jwk" });
  const byStranger = (changedHead: Fields, changedClaims: Fields = {}) => {
    const text = `${encoded({ ...head, ...changedHead })}.${encoded({ ...claims, ...changedClaims })}`;
    return `${text}.${sign(null, Buffer.from(text), stranger.privateKey).toString("base64url")}`;
  };
  const elliptic = () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const text = `${encoded({ ...head, alg: "ES256" })}.${claimsPart}`;
    return `${text}.${sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  };
  const twice = (name: string, value: unknown) =>
    `${JSON.stringify(claims).slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(value)}}`;
  const flipped = (text: string) => `${text.slice(0, 5)}${text[5] === "A" ? "B" : "A"}${text.slice(6)}`;
  return [
    ["alg none without a signature", `${encoded({ ...head, alg: "none" })}.${claimsPart}.`],
    ["alg none with the good signature", `${encoded({ ...head, alg: "none" })}.${claimsPart}.${signature}`],
    ["alg NONE, really signed", real({ alg: "NONE" })],
    ["alg none without kid and typ", `${encoded({ alg: "none" })}.${claimsPart}.`],
    ["HS256 keyed with the public key's bytes", mac("HS256", "sha256", publicBytes)],
    ["HS256 keyed with the public key as text", mac("HS256", "sha256", keyPair.publicJwk.x)],
    ["HS256 keyed with the public JWK", mac("HS256", "sha256", JSON.stringify(keyPair.publicJwk))],
    ["HS256 keyed with nothing", mac("HS256", "sha256", "")],
    ["HS512", mac("HS512", "sha512", publicBytes)],
    ["ES256 by a stranger", elliptic()],
    ["alg Ed25519 instead of EdDSA, really signed", real({ alg: "Ed25519" })],
    ["alg eddsa in small letters, really signed", real({ alg: "eddsa" })],
    ["no alg, really signed", real({ alg: undefined })],
    ["an alg that is a list, really signed", real({ alg: ["EdDSA"] })],
    ["a stranger's signature", byStranger({})],
    ["a stranger's signature with the stranger's key in jwk", byStranger({ jwk: strangerJwk })],
    ["jwk, really signed", real({ jwk: keyPair.publicJwk })],
    ["jku, really signed", real({ jku: "http://127.0.0.1:1/jwks.json" })],
    ["x5u, really signed", real({ x5u: "http://127.0.0.1:1/certificate" })],
    ["x5c, really signed", real({ x5c: ["AAAA"] })],
    ["crit of a thing unknown, really signed", real({ crit: ["b64"], b64: false })],
    ["an empty crit, really signed", real({ crit: [] })],
    ["an unknown kid", byStranger({ kid: "AAAAAAAAAAAAAAAA" })],
    ["a kid that is a path, really signed", real({ kid: `../../${head.kid}` })],
    ["a kid that is SQL, really signed", real({ kid: `${head.kid}' OR '1'='1` })],
    ["a kid with a null byte behind it, really signed", real({ kid: `${head.kid}\u0000` })],
    ["a kid in a list, really signed", real({ kid: [head.kid] })],
    ["no kid, really signed", real({ kid: undefined })],
    ["the kid __proto__, really signed", real({ kid: "__proto__" })],
    ["typ JWT, really signed", real({ typ: "JWT" })],
    ["no typ, really signed", real({ typ: undefined })],
    ["typ application/at+jwt, really signed", real({ typ: "application/at+jwt" })],
    ["cty, really signed", real({ cty: "JWT" })],
    ["no exp, really signed", without("exp")],
    ["exp in the past, really signed", real({}, { exp: nowSeconds - 1 })],
    ["exp this very second, really signed", real({}, { exp: nowSeconds })],
    ["exp in a hundred years, really signed", real({}, { exp: nowSeconds + 3_155_760_000 })],
    ["exp a minute past the longest, really signed", real({}, { exp: nowSeconds + 960 })],
    ["exp as text, really signed", real({}, { exp: String(nowSeconds + 600) })],
    ["exp with a fraction, really signed", real({}, { exp: nowSeconds + 600.5 })],
    ["a negative exp, really signed", real({}, { exp: -1 })],
    ["no iat, really signed", without("iat")],
    ["iat in the future, really signed", real({}, { iat: nowSeconds + 60, exp: nowSeconds + 600 })],
    ["iat long ago, really signed", real({}, { iat: nowSeconds - 86_400, exp: nowSeconds + 60 })],
    ["nbf in the future, really signed", real({}, { nbf: nowSeconds + 60 })],
    ["nbf in the past, which we never write, really signed", real({}, { nbf: nowSeconds - 60 })],
    ["another issuer, really signed", real({}, { iss: "https://accounts.example" })],
    ["no issuer, really signed", without("iss")],
    ["another audience, really signed", real({}, { aud: "other-api" })],
    ["two audiences, ours among them, really signed", real({}, { aud: ["bsopt-api", "other-api"] })],
    ["no audience, really signed", without("aud")],
    ["no sub, really signed", without("sub")],
    ["an empty sub, really signed", real({}, { sub: "" })],
    ["a sub that is an object, really signed", real({}, { sub: { id: claims.sub } })],
    ["a sub with a null byte, really signed", real({}, { sub: `${claims.sub}\u0000` })],
    [
      "another user's sub under the old signature",
      `${headPart}.${encoded({ ...claims, sub: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10" })}.${signature}`,
    ],
    ["another user's sub signed by a stranger", byStranger({}, { sub: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10" })],
    ["no sid, really signed", without("sid")],
    ["no jti, really signed", without("jti")],
    ["no scope, really signed", without("scope")],
    ["a scope there is not, really signed", real({}, { scope: "pricing:read root" })],
    ["scopes as a list, really signed", real({}, { scope: ["admin"] })],
    ["a scope twice, really signed", real({}, { scope: "admin admin" })],
    ["a client_id that is not its sid, really signed", real({}, { client_id: "4fJ0aVb7QkXz" })],
    ["the claim sub twice, under the old signature", `${headPart}.${encoded(twice("sub", "somebody"))}.${signature}`],
    ["claims that are a list, really signed", signedWith(keyPair, head, [claims])],
    ["claims that are a text, really signed", signedWith(keyPair, head, '"sub"')],
    ["claims that are no JSON, really signed", signedWith(keyPair, head, "{sub:1}")],
    ["claims that are null, really signed", signedWith(keyPair, head, "null")],
    ["a head that is no JSON, really signed", signedWith(keyPair, "{alg", claims)],
    ["a head with a space in it, really signed", signedWith(keyPair, JSON.stringify(head, null, 1), claims)],
    [
      "a head with its fields in another order, really signed",
      signedWith(keyPair, { typ: head.typ, kid: head.kid, alg: head.alg }, claims),
    ],
    [
      "a head with alg twice, really signed",
      signedWith(keyPair, `{"alg":"none",${JSON.stringify(head).slice(1)}`, claims),
    ],
    ["a token within a token, really signed", signedWith(keyPair, head, encoded(good))],
    ["a detached payload", `${headPart}..${signature}`],
    ["no signature", `${headPart}.${claimsPart}.`],
    ["no signature and no dot for it", `${headPart}.${claimsPart}`],
    ["a signature cut short", good.slice(0, -1)],
    ["a signature too long", `${good}A`],
    ["a signature in another spelling of the same bytes", respelt(good)],
    ["a signature of zeros", `${headPart}.${claimsPart}.${"A".repeat(86)}`],
    ["one letter of the claims changed", `${headPart}.${flipped(claimsPart)}.${signature}`],
    ["one letter of the signature changed", `${headPart}.${claimsPart}.${flipped(signature)}`],
    ["a fourth part", `${good}.AAAA`],
    ["five parts, as if encrypted", `${good}.AAAA.AAAA`],
    ["a dot in front", `.${good}`],
    ["padding behind the signature", `${good}==`],
    ["padding behind the claims", `${headPart}.${claimsPart}=.${signature}`],
    ["two megabytes of claims, really signed", real({}, { pad: "x".repeat(2_000_000) })],
    ["four kilobytes of claims, really signed", real({}, { pad: "x".repeat(4_000) })],
    ["only a head", headPart],
    ["three empty parts", ".."],
    ["a refresh token", Buffer.alloc(32, 9).toString("base64url")],
  ];
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The same bytes with another last letter: of its six bits a signature needs two. */
function respelt(token: string): string {
  return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)!) ^ 1];
}

/** Texts that no Authorization header may carry as they are, or that its grammar must refuse. */
export function malformedTokens({ good }: TokenMaterial): (readonly [string, string])[] {
  const [head, claims, signature] = good.split(".") as [string, string, string];
  return [
    ["a space in the middle", `${head}.${claims} .${signature}`],
    ["a tab in the middle", `${head}.\t${claims}.${signature}`],
    ["letters beyond ASCII", `${head}.${claims}é.${signature}`],
    ["a full-width dot", `${head}．${claims}.${signature}`],
    ["a null byte", `${head}.${claims}\u0000.${signature}`],
    ["a comma and a second token", `${good},${good}`],
    ["a percent sign", `${head}.%2e.${signature}`],
    ["a plus and a slash for base64", `${head}.+/.${signature}`],
  ];
}
