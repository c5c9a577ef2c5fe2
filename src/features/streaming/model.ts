// What the stream's routes take and answer.

import { type Static, Type } from "@sinclair/typebox";
import { timestamp } from "../../foundation/wire";

export const HandshakeQuery = Type.Object(
  {
    ticket: Type.Optional(Type.String({ maxLength: 64, description: "A ticket, which opens one socket." })),
    token: Type.Optional(
      Type.String({ maxLength: 8192, description: "An access token or an API key; a header is the better place." }),
    ),
  },
  { additionalProperties: false },
);

export const StreamTicket = Type.Object(
  {
    ticket: Type.String({ pattern: "^[A-Za-z0-9_-]{43}$", maxLength: 43, description: "Opens one socket." }),
    expires_at: timestamp({ description: "Until then." }),
  },
  {
    additionalProperties: false,
    $id: "StreamTicket",
    examples: [{ ticket: "EXAMPLEexampleEXAMPLEexampleEXAMPLEexample0", expires_at: "2026-01-02T03:04:35.678901Z" }],
  },
);
export type StreamTicket = Static<typeof StreamTicket>;
