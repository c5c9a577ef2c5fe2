// What client and server say to each other on the socket: one table of messages, from which what comes in is checked and the AsyncAPI
// document is made. Separate from the sockets, which act on it. Only shapes stand here.

import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";

const closed = { additionalProperties: false } as const;

export const channelNameLengthMax = 256;
export const channelsPerMessageMax = 100;

const id = Type.Optional(
  Type.Union([Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.String({ maxLength: 64 })], {
    description: "Comes back in the answer.",
  }),
);
const channel = Type.String({
  minLength: 1,
  maxLength: channelNameLengthMax,
  description: "A channel's name: its parts percent-encoded, separated by slashes.",
  examples: ["test"],
});
const channels = Type.Array(channel, { minItems: 1, maxItems: channelsPerMessageMax });

export const SubscribeMessage = Type.Object(
  {
    id,
    op: Type.Literal("subscribe"),
    channels,
    snapshot: Type.Optional(
      Type.Boolean({ description: "Send each channel's whole state first; true where it is left out." }),
    ),
    resume: Type.Optional(
      Type.Record(channel, Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), {
        maxProperties: channelsPerMessageMax,
        description:
          "By channel, the last `seq` received of it: what followed is sent where it is still known, else a snapshot.",
      }),
    ),
  },
  closed,
);
export type SubscribeMessage = Static<typeof SubscribeMessage>;

export const UnsubscribeMessage = Type.Object({ id, op: Type.Literal("unsubscribe"), channels }, closed);
export type UnsubscribeMessage = Static<typeof UnsubscribeMessage>;

export const AuthMessage = Type.Object(
  {
    id,
    op: Type.Literal("auth"),
    token: Type.String({
      minLength: 1,
      maxLength: 8192,
      description: "A fresh access token, or an API key, of the same user.",
    }),
  },
  closed,
);
export type AuthMessage = Static<typeof AuthMessage>;

export const PingMessage = Type.Object({ id, op: Type.Literal("ping") }, closed);

export interface ClientMessage {
  readonly op: string;
  readonly summary: string;
  readonly schema: TSchema;
  readonly example: unknown;
}

/** Every op of the stream itself; features add theirs. */
export const clientMessages: readonly ClientMessage[] = [
  {
    op: "subscribe",
    summary: "Listen to channels. All of them, or none where one is refused.",
    schema: SubscribeMessage,
    example: { id: 1, op: "subscribe", channels: ["test"], snapshot: true, resume: { test: 812 } },
  },
  {
    op: "unsubscribe",
    summary: "Listen to channels no longer. One that was not listened to is no fault.",
    schema: UnsubscribeMessage,
    example: { id: 2, op: "unsubscribe", channels: ["test"] },
  },
  {
    op: "auth",
    summary: "Show a fresh credential of the same user before the one in use ends.",
    schema: AuthMessage,
    example: { id: 3, op: "auth", token: "eyJhbGciOiJFZERTQSIsImtpZCI6IjdKYzJtV3Ewin0.e30.c2ln" },
  },
  { op: "ping", summary: "Ask for an answer.", schema: PingMessage, example: { id: 4, op: "ping" } },
];

const checks = new WeakMap<TSchema, (value: unknown) => boolean>();

/** Whether a message is of a schema, which is compiled when it is first asked for. */
export function fits(schema: TSchema, value: unknown): boolean {
  let check = checks.get(schema);
  if (check === undefined) {
    const compiled = TypeCompiler.Compile(schema);
    check = (each) => compiled.Check(each);
    checks.set(schema, check);
  }
  return check(value);
}

/** Why a connection is closed, by its number (RFC 6455 section 7.4); what the protocol itself refuses has the standard ones. */
export const closeCodes = {
  draining: { code: 1001, reason: "draining", summary: "The server stops: connect again, elsewhere or later." },
  unsupported: { code: 1003, reason: "text only", summary: "A binary message came." },
  too_big: { code: 1009, reason: "too big", summary: "A message was larger than is taken." },
  expired: {
    code: 4001,
    reason: "authentication expired",
    summary: "The credential has ended: it expired, was revoked, or its user was disabled.",
  },
  forbidden: {
    code: 4003,
    reason: "forbidden",
    summary: "A channel or an op was asked for that the credential does not allow, or it allows less than it did.",
  },
  rate: { code: 4008, reason: "too many messages", summary: "Messages came faster than is allowed." },
  too_slow: { code: 4013, reason: "too slow", summary: "Nothing was read for too long." },
} as const;

export type CloseReason = keyof typeof closeCodes;

const answerId = Type.Union([Type.Integer(), Type.String(), Type.Null()], {
  description: "The message's `id`; null where it had none.",
});

const Answer = Type.Object(
  {
    id: answerId,
    ok: Type.Literal(true),
    channels: Type.Optional(
      Type.Array(Type.String(), {
        description: "To subscribe: each channel by the name its frames bear, in the order asked for.",
      }),
    ),
  },
  { description: "What else stands in it depends on the op." },
);

const RefusalAnswer = Type.Object(
  {
    id: answerId,
    error: Type.Object(
      {
        type: Type.String(),
        title: Type.String(),
        status: Type.Integer(),
        detail: Type.String(),
        instance: Type.String(),
        code: Type.String({ description: "Stable, for programs." }),
        trace_id: Type.String(),
        retryable: Type.Boolean(),
        errors: Type.Array(
          Type.Object({
            pointer: Type.String({ description: "Where in the message, as RFC 6901 has it." }),
            code: Type.String(),
            detail: Type.String(),
          }),
        ),
        error: Type.String(),
      },
      { description: "A problem document (RFC 9457), as requests are answered with." },
    ),
  },
  closed,
);

const StreamFrame = Type.Object(
  {
    ch: Type.String({ description: "The channel." }),
    seq: Type.Integer({ description: "The frame's number in its channel, the same for every subscriber; rising." }),
    prev: Type.Union([Type.Integer(), Type.Null()], {
      description: "The number of the frame that this one builds on; null: on none, a whole state.",
    }),
    ts: Type.String({ format: "date-time", description: "When it was published." }),
    type: Type.Union(
      ["snapshot", "delta", "event", "lag"].map((word) => Type.Literal(word)),
      {
        description:
          "snapshot: the whole state; delta: what changed; event: something that happened; lag: `data.dropped` frames were not sent because the client read too slowly, and a snapshot follows.",
      },
    ),
    data: Type.Unknown({ description: "As the channel has it; null: nothing is known yet." }),
  },
  closed,
);

/** What the server says. */
export const serverMessages: readonly {
  readonly name: string;
  readonly summary: string;
  readonly schema: TSchema;
  readonly example: unknown;
}[] = [
  {
    name: "answer",
    summary: "It was done.",
    schema: Answer,
    example: { id: 1, ok: true, channels: ["test"] },
  },
  {
    name: "refusal",
    summary: "It was not done, and why.",
    schema: RefusalAnswer,
    example: {
      id: 1,
      error: {
        type: "urn:bsopt:problem:channel-unknown",
        title: "Not processable",
        status: 422,
        detail: "/channels/0 is of no family there is: test, health",
        instance: "/api/v1/ws",
        code: "CHANNEL_UNKNOWN",
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
        retryable: false,
        errors: [{ pointer: "/channels/0", code: "CHANNEL_UNKNOWN", detail: "is of no family there is: test, health" }],
        error: "/channels/0 is of no family there is: test, health",
      },
    },
  },
  {
    name: "frame",
    summary: "A frame of a channel.",
    schema: StreamFrame,
    example: {
      ch: "test",
      seq: 1767323045,
      prev: 1767323044,
      ts: "2026-01-02T03:04:05.000512Z",
      type: "event",
      data: { second: "2026-01-02T03:04:05.000000Z" },
    },
  },
];
