// What sessions says and hears on the wire. A refresh token appears in the answer that gives it and nowhere else.

import { type Static, Type } from "@sinclair/typebox";
import { oneOf, timestamp } from "../../foundation/wire";

const closed = { additionalProperties: false } as const;

/** 32 random bytes as base64url: refresh tokens, tokens that await a second factor, CSRF tokens. */
export const opaqueToken = (description: string) =>
  Type.String({ pattern: "^[A-Za-z0-9_-]{43}$", maxLength: 43, description });

export const exampleOpaqueToken = "EXAMPLEexampleEXAMPLEexampleEXAMPLEexample0";
export const exampleAccessToken = "eyJhbGciOiJFZERTQSJ9.eyJleGFtcGxlIjp0cnVlfQ.c2lnbmF0dXJl";

/** The body of POST /api/v1/auth/refresh. */
export const RefreshRequest = Type.Object(
  { refresh_token: opaqueToken("The refresh token of the answer before; it works once.") },
  { ...closed, $id: "RefreshRequest", examples: [{ refresh_token: exampleOpaqueToken }] },
);

export const tokenPairProperties = {
  access_token: Type.String({ description: "Send it as Authorization: Bearer." }),
  token_type: Type.Literal("Bearer"),
  expires_in: Type.Integer({ description: "Seconds until the access token is over." }),
  refresh_token: opaqueToken("For POST /api/v1/auth/refresh; it works once."),
};

export const TokenPair = Type.Object(tokenPairProperties, {
  ...closed,
  $id: "TokenPair",
  examples: [
    {
      access_token: exampleAccessToken,
      token_type: "Bearer",
      expires_in: 900,
      refresh_token: exampleOpaqueToken,
    },
  ],
});
export type TokenPair = Static<typeof TokenPair>;

const textOrNull = (description: string) => Type.Union([Type.String(), Type.Null()], { description });

const exampleSession = {
  id: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e12",
  kind: "token",
  is_current: true,
  created_at: "2026-01-02T03:04:05.678901Z",
  last_used_at: "2026-01-02T03:19:05.678901Z",
  expires_at: "2026-02-01T03:04:05.678901Z",
  ip_address: "192.0.2.7",
  user_agent: "curl/8.14.1",
};

export const LoginSession = Type.Object(
  {
    id: Type.String(),
    kind: oneOf(["token", "cookie"], { description: "Whether it was opened with tokens or with a browser's cookie." }),
    is_current: Type.Boolean({ description: "Whether this request was made with it." }),
    created_at: timestamp({ description: "When its user signed in." }),
    last_used_at: timestamp({ description: "The last refresh, or the last request that was noted." }),
    expires_at: timestamp({ description: "When it is over, however often it is used." }),
    ip_address: textOrNull("Where its user signed in from."),
    user_agent: textOrNull("What its user signed in with."),
  },
  { ...closed, $id: "LoginSession", examples: [exampleSession] },
);
export type LoginSession = Static<typeof LoginSession>;

export const LoginSessionPage = Type.Object(
  {
    data: Type.Array(LoginSession),
    next_cursor: Type.Null({ description: "A user's sessions are few: they come in one page." }),
    has_more: Type.Literal(false),
  },
  { ...closed, $id: "LoginSessionPage", examples: [{ data: [exampleSession], next_cursor: null, has_more: false }] },
);
export type LoginSessionPage = Static<typeof LoginSessionPage>;

export const LoginSessionPath = Type.Object(
  {
    id: Type.String({
      pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
      description: "The session's id.",
      examples: ["019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10"],
    }),
  },
  closed,
);

export const CsrfToken = Type.Object(
  { csrf_token: opaqueToken("Send it as X-CSRF-Token with every request that changes something.") },
  { ...closed, $id: "CsrfToken", examples: [{ csrf_token: exampleOpaqueToken }] },
);
export type CsrfToken = Static<typeof CsrfToken>;
