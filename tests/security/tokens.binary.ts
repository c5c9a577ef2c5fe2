// Crafted access tokens against the executable. Where a token is wrong in one thing alone it is signed with the server's own key,
// which no attacker has: so the refusal is that rule's and no other's.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { KeyPair } from "../../src/adapters/jwt";
import { craftedTokens, malformedTokens, signedWith } from "../harness/crafted-tokens";
import { rawRequest } from "../harness/http-socket";
import { type Person, SecuredServer, type SignedIn } from "../harness/secured-server";

const guarded = "/api/v1/pricing/models";
const meUrl = "/api/v1/auth/me";

type Fields = Readonly<Record<string, unknown>>;

let server: SecuredServer;
let viewer: Person;
let admin: Person;
let session: SignedIn;
let adminSession: SignedIn;
let kid: string;
let keyPair: KeyPair;
let claims: Fields;
let trap: Bun.Server<unknown>;
let trapHits = 0;
const foreign = generateKeyPairSync("ed25519");
const foreignJwk = foreign.publicKey.export({ format: "jwk" });

beforeAll(async () => {
  server = await SecuredServer.start();
  viewer = await server.person("viewer");
  admin = await server.person("admin");
  session = await server.signIn(viewer);
  adminSession = await server.signIn(admin);
  ({ kid, keyPair } = await server.signingKey());
  claims = claimsOf(session.accessToken);
  trap = Bun.serve({
    port: 0,
    fetch: () => {
      trapHits += 1;
      return Response.json({ keys: [{ ...foreignJwk, kid: "mine", use: "sig", alg: "EdDSA" }] });
    },
  });
}, 60_000);
afterAll(async () => {
  await trap?.stop(true);
  await server.close();
});

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString("utf8"));
}

const nowSeconds = () => Math.floor(Date.now() / 1000);
const encoded = (part: Fields) => Buffer.from(JSON.stringify(part)).toString("base64url");
const head = (more: Fields = {}): Fields => ({ alg: "EdDSA", kid, typ: "at+jwt", ...more });
/** Signed by the server's own key, with claims changed; undefined leaves one out. */
const own = (change: Fields = {}) => signedWith(keyPair, head(), { ...claims, ...change });

function byForeignKey(other: Fields, change: Fields = {}): string {
  const text = `${encoded(other)}.${encoded({ ...claims, ...change })}`;
  return `${text}.${sign(null, Buffer.from(text), foreign.privateKey).toString("base64url")}`;
}

function maced(secret: string | Uint8Array, digest: "sha256" | "sha384" | "sha512", other: Fields): string {
  const text = `${encoded(other)}.${encoded(claims)}`;
  return `${text}.${createHmac(digest, secret).update(text).digest("base64url")}`;
}

const pem = () =>
  createPublicKey({ key: { ...keyPair.publicJwk }, format: "jwk" })
    .export({ format: "pem", type: "spki" })
    .toString();
const publicBytes = () => Buffer.from(keyPair.publicJwk.x, "base64url");

test("S2.12 the forger's tools are good: a token made with the server's own key as the server makes it is taken", async () => {
  expect((await server.call("GET", guarded, { bearer: session.accessToken })).status).toBe(200);
  expect((await server.call("GET", guarded, { bearer: own({ jti: "forged", exp: nowSeconds() + 600 }) })).status).toBe(
    200,
  );
});

test("S4.54 S4.56 auth bypass: none of eighty crafted tokens opens anything", async () => {
  const table = craftedTokens({ good: own({ jti: "good" }), keyPair, nowSeconds: nowSeconds() });
  expect(table.length).toBeGreaterThan(80);
  const odd: string[] = [];
  for (const [what, token] of table) {
    const answer = await server.call("GET", guarded, { bearer: token });
    // A token too long for a head of a request is not even looked at.
    if (answer.status !== (token.length > 16_000 ? 431 : 401)) odd.push(`${what} → ${answer.status}`);
    if (token.length > 40 && answer.text.includes(token)) odd.push(`${what} is told back`);
  }
  expect(odd).toEqual([]);
});

test("S4.54 auth bypass: none of the texts that are no token opens anything", async () => {
  const odd: string[] = [];
  for (const [what, token] of malformedTokens({ good: session.accessToken, keyPair, nowSeconds: nowSeconds() })) {
    const bytes = Buffer.from(
      `GET ${guarded} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      "utf8",
    );
    const { status } = await rawRequest(server.port, bytes);
    if (status !== 401 && status !== 400) odd.push(`${what} → ${status}`);
  }
  expect(odd).toEqual([]);
});

const forgeries: readonly [name: string, make: () => string][] = [
  ["HS256 with the public key's PEM as secret", () => maced(pem(), "sha256", head({ alg: "HS256" }))],
  ["HS384 with the public key's bytes", () => maced(publicBytes(), "sha384", head({ alg: "HS384" }))],
  ["HS256 under the head of EdDSA", () => maced(publicBytes(), "sha256", head())],
  ["HS512 under the head of EdDSA, as long as a real signature", () => maced(publicBytes(), "sha512", head())],
  ["HS256 with the word secret", () => maced("secret", "sha256", head({ alg: "HS256" }))],
  [
    "a kid that climbs to an empty file",
    () => maced("", "sha256", head({ alg: "HS256", kid: "../../../../dev/null" })),
  ],
  [
    "a kid of SQL that would give the secret",
    () => maced("x", "sha256", head({ alg: "HS256", kid: "' UNION SELECT 'x' --" })),
  ],
  ["a foreign key at an address (jku)", () => byForeignKey(head({ kid: "mine", jku: `${trap.url}jwks.json` }))],
  ["a foreign key at an address under our kid", () => byForeignKey(head({ jku: `${trap.url}jwks.json` }))],
  ["a foreign certificate at an address (x5u)", () => byForeignKey(head({ kid: "mine", x5u: `${trap.url}x.pem` }))],
  ["a kid that is an address", () => byForeignKey(head({ kid: `${trap.url}key` }))],
  ["an issuer that is an address", () => byForeignKey(head({ kid: "mine" }), { iss: String(trap.url) })],
  ["a real signature with a jku beside it", () => signedWith(keyPair, head({ jku: `${trap.url}jwks.json` }), claims)],
  ["a compressed payload (zip)", () => signedWith(keyPair, head({ zip: "DEF" }), claims)],
  ["the type of a refresh token", () => signedWith(keyPair, head({ typ: "rt+jwt" }), claims)],
  [
    "an endless exp",
    () => signedWith(keyPair, head(), JSON.stringify({ ...claims, exp: 0 }).replace('"exp":0', '"exp":1e999')),
  ],
  ["claims in a prototype", () => signedWith(keyPair, head(), `{"__proto__":${JSON.stringify(claims)}}`)],
  ["another user's subject on one's own session", () => own({ sub: admin.id })],
  ["another user's session under one's own subject", () => own({ sid: claimsOf(adminSession.accessToken).sid })],
  [
    "another user's subject said after one's own",
    () => signedWith(keyPair, head(), `${JSON.stringify(claims).slice(0, -1)},"sub":"${admin.id}"}`),
  ],
  ["a session that never was", () => own({ sid: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10" })],
  ["a session passed off as a key", () => own({ client_id: claims.sid })],
  ["a key's id under one's own subject", () => own({ sid: keyId(), client_id: keyId() })],
  ["a key's id as a session", () => own({ sid: keyId() })],
  [
    "the signature of another token",
    () => session.accessToken.replace(/[^.]+$/, adminSession.accessToken.split(".")[2]!),
  ],
  [
    "another's claims under one's own signature",
    () => withClaims(session.accessToken, adminSession.accessToken.split(".")[1]!),
  ],
  ["a refresh token in its place", () => session.refreshToken],
  ["a user's id in its place", () => viewer.id],
];

const keyId = () => server.keys.admin.split("_")[1]!;

function withClaims(token: string, other: string): string {
  const [first, , last] = token.split(".");
  return `${first}.${other}.${last}`;
}

test.each(forgeries)("S4.54 S4.56 auth bypass: %s is 401", async (_name, make) => {
  const token = make();
  for (const path of [guarded, meUrl]) {
    const answer = await server.call("GET", path, { bearer: token });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toContain("Bearer");
    expect(answer.text).not.toContain(token);
  }
});

test("S4.54 no key was fetched from where a token pointed", () => {
  expect(trapHits).toBe(0);
});

describe("auth bypass by where a good token is put", () => {
  const places: readonly [
    name: string,
    headers: (token: string) => Record<string, string>,
    query?: (token: string) => string,
  ][] = [
    ["under X-API-Key", (token) => ({ "x-api-key": token })],
    ["under Token", (token) => ({ authorization: `Token ${token}` })],
    ["under Basic", (token) => ({ authorization: `Basic ${token}` })],
    ["without a scheme", (token) => ({ authorization: token })],
    ["twice", (token) => ({ authorization: `Bearer ${token}, Bearer ${token}` })],
    ["with a comma", (token) => ({ authorization: `Bearer ${token},` })],
    ["in the session cookie", (token) => ({ cookie: `__Host-bsopt=${token}` })],
    ["in another cookie", (token) => ({ cookie: `access_token=${token}; Authorization=Bearer ${token}` })],
    ["in the query", () => ({}), (token) => `?access_token=${token}&token=${token}`],
    ["beside a key", (token) => ({ authorization: `Bearer ${token}`, "x-api-key": server.keys.viewer })],
  ];
  test.each(places)("S4.54 auth bypass: a token %s is 401", async (_name, headers, query = () => "") => {
    const { accessToken } = session;
    const answer = await server.call("GET", `${guarded}${query(accessToken)}`, { headers: headers(accessToken) });
    expect(answer.status).toBe(401);
  });
});

test("S2.13 a viewer's token that says admin, though signed with the server's own key, does no more than the viewer may", async () => {
  const token = own({ scope: "pricing:read admin", jti: "more", exp: nowSeconds() + 600 });
  expect((await server.call("GET", guarded, { bearer: token })).status).toBe(200);
  expect((await server.call("GET", "/api/v1/admin/users", { bearer: token })).status).toBe(403);
});

test("S4.56 a token of another installation is 401 here", async () => {
  const other = await SecuredServer.start();
  try {
    const stranger = await other.person("admin");
    const { accessToken } = await other.signIn(stranger);
    expect((await other.call("GET", guarded, { bearer: accessToken })).status).toBe(200);
    expect((await server.call("GET", guarded, { bearer: accessToken })).status).toBe(401);
  } finally {
    await other.close();
  }
});

test("S2.12 what a key signed that was taken back at once is 401, and a new sign-in works", async () => {
  const { accessToken } = await server.signIn(viewer);
  expect((await server.call("GET", guarded, { bearer: accessToken })).status).toBe(200);
  const rotated = await server.call("POST", "/api/v1/admin/signing-keys", { key: "admin", body: { at_once: true } });
  expect(rotated.status).toBe(201);
  expect((await server.call("GET", guarded, { bearer: accessToken })).status).toBe(401);
  expect((await server.call("GET", guarded, { bearer: own({ exp: nowSeconds() + 600 }) })).status).toBe(401);
  expect((await server.call("GET", guarded, { bearer: (await server.signIn(viewer)).accessToken })).status).toBe(200);
});
