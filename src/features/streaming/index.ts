// The routes of the stream: the handshake, under both of its addresses, and tickets for it. What is said on the socket is http's protocol.

import { Elysia } from "elysia";
import type { Principal } from "../../domain/principal";
import { InvariantError } from "../../foundation/assert";
import { HandshakeQuery, StreamTicket } from "./model";
import type { Tickets } from "./service";

export interface StreamingRoutesDependencies {
  readonly tickets: Pick<Tickets, "issue">;
  readonly principalOf: (request: Request) => Principal;
}

/** GET /api/v1/ws and /ws, POST /api/v1/ws/tickets. */
export function streamingRoutes({ tickets, principalOf }: StreamingRoutesDependencies) {
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
    .get("/ws", neverHandled, handshake("openStreamAlias", "Open a WebSocket"))
    .post(
      "/api/v1/ws/tickets",
      ({ request, set }) => {
        set.status = 201;
        return tickets.issue(principalOf(request));
      },
      {
        response: { 201: StreamTicket },
        detail: {
          permission: "stream:read",
          operationId: "createStreamTicket",
          summary: "Make a ticket that opens a WebSocket",
          description:
            "For pages in browsers, which can send no header with the handshake: connect to /api/v1/ws?ticket= within 30 seconds. It works once, and the connection is what whoever asked for it is.",
          tags: ["Stream"],
        },
      },
    );
}

/** Http makes a socket of it, or refuses it, before a handler is asked. */
function neverHandled(): never {
  throw new InvariantError("a handshake came to a handler");
}
