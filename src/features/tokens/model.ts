// What tokens says and hears on the wire: the public keys as RFC 7517 has them, and the keys as their administrator sees them. A
// private key has no place in any shape here.

import { type Static, Type } from "@sinclair/typebox";
import { timestamp } from "../../foundation/wire";

const closed = { additionalProperties: false } as const;

const keyId = Type.String({ description: "The kid in a token's head.", examples: ["7Jc2mWq0ZtB4xKfE"] });

export const JsonWebKey = Type.Object(
  {
    kty: Type.Literal("OKP"),
    crv: Type.Literal("Ed25519"),
    x: Type.String({ description: "The public key, 32 bytes as base64url." }),
    kid: keyId,
    use: Type.Literal("sig"),
    alg: Type.Literal("EdDSA"),
  },
  {
    ...closed,
    $id: "JsonWebKey",
    examples: [
      {
        kty: "OKP",
        crv: "Ed25519",
        x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        kid: "7Jc2mWq0ZtB4xKfE",
        use: "sig",
        alg: "EdDSA",
      },
    ],
  },
);

export const JwksDocument = Type.Object(
  { keys: Type.Array(JsonWebKey) },
  { ...closed, $id: "JwksDocument", description: "The keys that verify access tokens (RFC 7517)." },
);
export type JwksDocument = Static<typeof JwksDocument>;

const momentOrNull = (description: string) => Type.Union([timestamp(), Type.Null()], { description });

const exampleKey = {
  id: "7Jc2mWq0ZtB4xKfE",
  algorithm: "EdDSA",
  signs: true,
  created_at: "2026-01-02T03:04:05.678901Z",
  superseded_at: null,
  retired_at: null,
};

export const SigningKey = Type.Object(
  {
    id: keyId,
    algorithm: Type.Literal("EdDSA"),
    signs: Type.Boolean({ description: "Whether new tokens are signed with it now." }),
    created_at: timestamp({ description: "When it was made." }),
    superseded_at: momentOrNull("When it stops signing; null: nothing has followed it."),
    retired_at: momentOrNull("When it stops verifying."),
  },
  { ...closed, $id: "SigningKey", examples: [exampleKey] },
);
export type SigningKey = Static<typeof SigningKey>;

export const SigningKeyList = Type.Object(
  { data: Type.Array(SigningKey) },
  { ...closed, $id: "SigningKeyList", examples: [{ data: [exampleKey] }] },
);
export type SigningKeyList = Static<typeof SigningKeyList>;

/** The body of POST /api/v1/admin/signing-keys. */
export const SigningKeyRequest = Type.Object(
  {
    at_once: Type.Optional(
      Type.Boolean({
        description:
          "The keys before it are not to be trusted: they stop verifying now, and every access token signed so far is refused. Sessions go on: clients refresh.",
      }),
    ),
  },
  { ...closed, $id: "SigningKeyRequest", examples: [{}, { at_once: true }] },
);
