// The routes of the stream: the handshake, under both of its addresses. What is said on the socket is http's protocol.

import { Elysia } from "elysia";
import { InvariantError } from "../../foundation/assert";
import { HandshakeQuery } from "./model";

/** GET /api/v1/ws and /ws. */
export function streamingRoutes() {
  const handshake = (operationId: string, summary: string) => ({
    query: HandshakeQuery,
    detail: {
      permission: "stream:read" as const,
      operationId,
      summary,
      tags: ["Stream"],
      upgrade: true as const,
      hide: true,
    },
  });
  return new Elysia({ name: "streaming" })
    .get("/api/v1/ws", neverHandled, handshake("openStream", "Open a WebSocket"))
    .get("/ws", neverHandled, handshake("openStreamAlias", "Open a WebSocket"));
}

/** Http makes a socket of it, or refuses it, before a handler is asked. */
function neverHandled(): never {
  throw new InvariantError("a handshake came to a handler");
}
