// The WebSocket's document as AsyncAPI 3.0, made of the very table that what comes in is checked by (socket-protocol). Separate from the OpenAPI
// document, which is about requests that are answered once. It must never name another host.

import type { TSchema } from "@sinclair/typebox";
import type { DocumentInfo, JsonObject } from "./openapi";
import { clientMessages, closeCodes, serverMessages } from "./socket-protocol";

const channel = "#/channels/stream";

/** The document, the same for everybody. */
export function asyncApiDocument({ title, version }: DocumentInfo): JsonObject {
  const messages = {
    ...Object.fromEntries(
      clientMessages.map(({ op, summary, schema, example }) => [op, messageOf(op, summary, schema, example)]),
    ),
    ...Object.fromEntries(
      serverMessages.map(({ name, summary, schema, example }) => [name, messageOf(name, summary, schema, example)]),
    ),
  };
  const named = (name: string) => ({ $ref: `${channel}/messages/${name}` });
  const codes = Object.values(closeCodes).map(({ code, summary }) => `- ${code}: ${summary}`);
  return {
    asyncapi: "3.0.0",
    info: {
      title,
      version,
      description: [
        "What clients and server say to each other on a WebSocket. The requests that are answered once stand in /openapi.json.",
        "A connection is closed with:",
        codes.join("\n"),
      ].join("\n\n"),
      license: { name: "Apache-2.0" },
    },
    defaultContentType: "application/json",
    servers: {
      here: {
        host: "localhost:8080",
        protocol: "ws",
        description: "The server that gave out this document, at its own address; behind TLS the protocol is wss.",
        security: ["apiKey", "bearer", "ticket"].map((name) => ({ $ref: `#/components/securitySchemes/${name}` })),
      },
    },
    channels: {
      stream: {
        address: "/api/v1/ws",
        title: "The stream",
        description: "Also at /ws. Text frames, each one JSON object. Needs the permission `stream:read`.",
        servers: [{ $ref: "#/servers/here" }],
        messages: Object.fromEntries(
          Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
      },
    },
    operations: {
      ...Object.fromEntries(
        clientMessages.map(({ op, summary }) => [
          op,
          {
            action: "receive",
            summary,
            channel: { $ref: channel },
            messages: [named(op)],
            reply: { channel: { $ref: channel }, messages: [named("answer"), named("refusal")] },
          },
        ]),
      ),
      publish: {
        action: "send",
        summary: "Frames of the channels that a client listens to.",
        channel: { $ref: channel },
        messages: [named("frame")],
      },
    },
    components: {
      messages,
      securitySchemes: {
        apiKey: { type: "httpApiKey", in: "header", name: "X-API-Key", description: "A key: `bso_<id>_<secret>`." },
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "An access token or a key, as a header or as the subprotocol `bearer.<token>`.",
        },
        ticket: {
          type: "httpApiKey",
          in: "query",
          name: "ticket",
          description: "A ticket of POST /api/v1/ws/tickets, which opens one connection within 30 seconds.",
        },
      },
    },
  };
}

function messageOf(name: string, summary: string, schema: TSchema, example: unknown): JsonObject {
  // Only what is JSON: a schema carries symbols of its library's.
  const payload = JSON.parse(JSON.stringify(schema)) as JsonObject;
  return { name, summary, payload, examples: [{ payload: example as JsonObject }] };
}
