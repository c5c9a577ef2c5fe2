// What keys says and hears on the wire. The schemas are the only source of the types; the service speaks
// them too, because an answer is stored beside the act that made it. A secret appears in one shape only, once.

import { type Static, Type } from "@sinclair/typebox";
import { permissions } from "../../domain/permission";
import { rateClasses } from "../../domain/principal";
import { oneOf, queryInteger, timestamp } from "../../foundation/wire";
import { ipAllowCountMax, keyIdLength, keyNameLengthMax, pageLimitDefault, pageLimitMax, scopeCountMax } from "./rules";

const closed = { additionalProperties: false } as const;

const keyId = Type.String({
  pattern: `^[0-9A-Za-z]{${keyIdLength}}$`,
  description: "The public half of the key.",
  examples: ["4fJ0aVb7QkXz"],
});

const name = Type.String({
  minLength: 1,
  maxLength: keyNameLengthMax,
  pattern: "^[^\\s\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*$",
  description: "A name for people: no control characters, no space in front.",
});

const scopes = Type.Array(oneOf(permissions), {
  minItems: 1,
  maxItems: scopeCountMax,
  uniqueItems: true,
  description: "What the key may do, at most: never more than its owner's role and its maker's scopes.",
});

const rateClass = oneOf(rateClasses, { description: "Which rate limit counts the key's requests." });

const ipAllow = Type.Array(Type.String({ minLength: 2, maxLength: 49 }), {
  minItems: 1,
  maxItems: ipAllowCountMax,
  description: "Addresses and CIDR blocks the key may be used from; without it, anywhere.",
});

const momentOrNull = (description: string) => Type.Union([timestamp(), Type.Null()], { description });

/** The body of POST /api/v1/api-keys. */
export const ApiKeyRequest = Type.Object(
  {
    name,
    scopes,
    expires_at: Type.Optional(timestamp({ description: "When the key stops working: RFC 3339, in the future." })),
    ip_allow: Type.Optional(ipAllow),
    rate_class: Type.Optional(rateClass),
  },
  {
    ...closed,
    $id: "ApiKeyRequest",
    examples: [
      { name: "market maker", scopes: ["pricing:read", "market:read"] },
      {
        name: "overnight batch",
        scopes: ["pricing:read"],
        expires_at: "2099-12-31T23:59:59Z",
        ip_allow: ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"],
        rate_class: "bot",
      },
    ],
  },
);
export type ApiKeyRequest = Static<typeof ApiKeyRequest>;

const apiKeyProperties = {
  id: keyId,
  user_id: Type.String({ description: "Whose key it is." }),
  name,
  scopes,
  rate_class: rateClass,
  expires_at: momentOrNull("When the key stops working; null: never."),
  ip_allow: Type.Union([ipAllow, Type.Null()], { description: "Where it may be used from; null: anywhere." }),
  created_by_key_id: Type.Union([keyId, Type.Null()], {
    description: "The key that made it; null where the command line or the first start did.",
  }),
  created_at: timestamp({ description: "When it was made." }),
  revoked_at: momentOrNull("When it was revoked; null while it lives."),
  last_used_at: momentOrNull("The last use that was noted (at most once a minute); null: none yet."),
};

const exampleKey = {
  id: "4fJ0aVb7QkXz",
  user_id: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10",
  name: "market maker",
  scopes: ["pricing:read", "market:read"],
  rate_class: "standard",
  expires_at: null,
  ip_allow: null,
  created_by_key_id: "Zt81LmQx0bCd",
  created_at: "2026-01-02T03:04:05.678901Z",
  revoked_at: null,
  last_used_at: null,
};

/** A key as lists show it: without its secret, which nothing but its maker ever had. */
export const ApiKey = Type.Object(apiKeyProperties, { ...closed, $id: "ApiKey", examples: [exampleKey] });
export type ApiKey = Static<typeof ApiKey>;

/** The answer to making a key: the one time its text is shown. */
export const ApiKeyCreated = Type.Object(
  {
    ...apiKeyProperties,
    secret: Type.Union([Type.String(), Type.Null()], {
      description:
        "The whole text for the X-API-Key header, bso_<id>_<secret>. Shown this once; null where the answer is a replay.",
    }),
  },
  {
    ...closed,
    $id: "ApiKeyCreated",
    examples: [{ ...exampleKey, secret: "bso_4fJ0aVb7QkXz_EXAMPLEexampleEXAMPLEexampleEXAMPLEexample0" }],
  },
);
export type ApiKeyCreated = Static<typeof ApiKeyCreated>;

export const ApiKeyPage = Type.Object(
  {
    data: Type.Array(ApiKey),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: "Send it as cursor for the next page." }),
    has_more: Type.Boolean(),
  },
  { ...closed, $id: "ApiKeyPage", examples: [{ data: [exampleKey], next_cursor: null, has_more: false }] },
);
export type ApiKeyPage = Static<typeof ApiKeyPage>;

const ownerId = Type.String({
  minLength: 1,
  maxLength: 40,
  pattern: "^[0-9A-Za-z-]+$",
  description: "Whose keys: your own where it is left out, another user's for administrators only.",
});

export const ApiKeyOwnerQuery = Type.Object({ user_id: Type.Optional(ownerId) }, closed);

export const ApiKeyPageQuery = Type.Object(
  {
    user_id: Type.Optional(ownerId),
    limit: Type.Optional(
      queryInteger({
        minimum: 1,
        maximum: pageLimitMax,
        description: `Keys in a page, at most; ${pageLimitDefault} where it is left out.`,
      }),
    ),
    cursor: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: "The next_cursor of the page before." }),
    ),
  },
  closed,
);

export const ApiKeyPath = Type.Object({ id: keyId }, closed);
