// What signing in says and hears on the wire. Passwords, codes and tokens stand in requests, or once in the answer that gives them;
// no schema here has a place for one anywhere else.

import { type Static, Type } from "@sinclair/typebox";
import { userSchema } from "../identity/service";
import { exampleAccessToken, exampleOpaqueToken, opaqueToken, tokenPairProperties } from "../sessions/service";

const closed = { additionalProperties: false } as const;

/** Longer than any address or password that can be set: what is longer is refused before anything is spent on it. */
const email = Type.String({ minLength: 3, maxLength: 254, description: "The address the user registered." });
const password = Type.String({ minLength: 1, maxLength: 512, description: "The user's password." });
const code = Type.String({
  minLength: 6,
  maxLength: 32,
  pattern: "^[0-9A-Za-z -]+$",
  description: "Six digits from the authenticator app, or a recovery code.",
});

const exampleUser = {
  id: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10",
  name: "Ada Lovelace",
  email: "ada@example.org",
  email_verified_at: "2026-01-02T03:10:00.000000Z",
  role: "trader" as const,
  disabled_at: null,
  erased_at: null,
  created_at: "2026-01-02T03:04:05.678901Z",
  updated_at: "2026-01-02T03:10:00.000000Z",
};

/** The body of POST /api/v1/auth/login. */
export const LoginRequest = Type.Object(
  {
    email,
    password,
    cookie: Type.Optional(
      Type.Boolean({ description: "true: a session by cookie for a browser, with a CSRF token instead of tokens." }),
    ),
  },
  {
    ...closed,
    $id: "LoginRequest",
    examples: [{ email: "ada@example.org", password: "correct horse battery staple" }],
  },
);
export type LoginRequest = Static<typeof LoginRequest>;

export const LoginTokens = Type.Object(
  { ...tokenPairProperties, user: userSchema },
  {
    ...closed,
    $id: "LoginTokens",
    examples: [
      {
        access_token: exampleAccessToken,
        token_type: "Bearer",
        expires_in: 900,
        refresh_token: exampleOpaqueToken,
        user: exampleUser,
      },
    ],
  },
);
export type LoginTokens = Static<typeof LoginTokens>;

export const LoginCookie = Type.Object(
  {
    csrf_token: opaqueToken("Send it as X-CSRF-Token with every request that changes something."),
    expires_in: Type.Integer({ description: "Seconds until the session is over, however often it is used." }),
    user: userSchema,
  },
  {
    ...closed,
    $id: "LoginCookie",
    examples: [{ csrf_token: exampleOpaqueToken, expires_in: 43_200, user: exampleUser }],
  },
);
export type LoginCookie = Static<typeof LoginCookie>;

export const LoginChallenge = Type.Object(
  {
    mfa_required: Type.Literal(true),
    mfa_token: opaqueToken("For POST /api/v1/auth/login/totp, within five minutes; it takes five codes at most."),
  },
  { ...closed, $id: "LoginChallenge", examples: [{ mfa_required: true, mfa_token: exampleOpaqueToken }] },
);
export type LoginChallenge = Static<typeof LoginChallenge>;

export const LoginAnswer = Type.Union([LoginTokens, LoginCookie, LoginChallenge]);
export const SignedInAnswer = Type.Union([LoginTokens, LoginCookie]);

/** The body of POST /api/v1/auth/login/totp. */
export const SecondFactorRequest = Type.Object(
  { mfa_token: opaqueToken("The mfa_token that login answered."), code },
  { ...closed, $id: "SecondFactorRequest", examples: [{ mfa_token: exampleOpaqueToken, code: "123456" }] },
);
export type SecondFactorRequest = Static<typeof SecondFactorRequest>;

export const TotpSetup = Type.Object(
  {
    secret: Type.String({ description: "The shared secret as base32, to type by hand. Shown this once." }),
    otpauth_uri: Type.String({ description: "The same for a QR code." }),
  },
  {
    ...closed,
    $id: "TotpSetup",
    examples: [
      {
        secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        otpauth_uri:
          "otpauth://totp/bsopt%3Aada%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=bsopt&algorithm=SHA1&digits=6&period=30",
      },
    ],
  },
);
export type TotpSetup = Static<typeof TotpSetup>;

/** The body of POST /api/v1/auth/totp/confirm. */
export const TotpConfirmation = Type.Object(
  { code: Type.String({ pattern: "^[0-9]{6}$", maxLength: 6, description: "Six digits from the authenticator app." }) },
  { ...closed, $id: "TotpConfirmation", examples: [{ code: "123456" }] },
);

export const RecoveryCodes = Type.Object(
  {
    recovery_codes: Type.Array(Type.String(), {
      description: "Each stands in for one code when the app is lost. Shown this once.",
    }),
  },
  {
    ...closed,
    $id: "RecoveryCodes",
    examples: [{ recovery_codes: ["abcd-efgh-ijkl-mnop-qrst-uvwx", "yz23-4567-abcd-efgh-ijkl-mnop"] }],
  },
);
export type RecoveryCodes = Static<typeof RecoveryCodes>;

/** The body of POST /api/v1/auth/reauthenticate and totp/disable: one of the two. */
export const Proof = Type.Object(
  { password: Type.Optional(password), code: Type.Optional(code) },
  { ...closed, $id: "Proof", minProperties: 1, maxProperties: 1, examples: [{ password: "seven-green-boats" }] },
);
export type Proof = Static<typeof Proof>;

/** The body of POST /api/v1/oauth/token, in JSON or as a form. */
export const OauthTokenRequest = Type.Object(
  {
    grant_type: Type.String({ maxLength: 64, description: "client_credentials" }),
    client_id: Type.Optional(Type.String({ maxLength: 64, description: "The API key's id; or in HTTP Basic." })),
    client_secret: Type.Optional(
      Type.String({ maxLength: 128, description: "The key's secret, or its whole text; or in HTTP Basic." }),
    ),
    scope: Type.Optional(
      Type.String({
        maxLength: 256,
        description: "Scopes with a space between, of those the key has; all where left out.",
      }),
    ),
  },
  {
    ...closed,
    $id: "OauthTokenRequest",
    examples: [
      {
        grant_type: "client_credentials",
        client_id: "4fJ0aVb7QkXz",
        client_secret: "EXAMPLEexampleEXAMPLEexampleEXAMPLEexample0",
        scope: "pricing:read",
      },
    ],
  },
);
export type OauthTokenRequest = Static<typeof OauthTokenRequest>;

export const OauthToken = Type.Object(
  {
    access_token: Type.String(),
    token_type: Type.Literal("Bearer"),
    expires_in: Type.Integer({ description: "Seconds until the access token is over." }),
    scope: Type.String({ description: "What was given." }),
  },
  {
    ...closed,
    $id: "OauthToken",
    examples: [{ access_token: exampleAccessToken, token_type: "Bearer", expires_in: 900, scope: "pricing:read" }],
  },
);
export type OauthToken = Static<typeof OauthToken>;
