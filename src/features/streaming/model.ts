// What the stream's routes take.

import { Type } from "@sinclair/typebox";

export const HandshakeQuery = Type.Object(
  {
    ticket: Type.Optional(Type.String({ maxLength: 64, description: "A ticket, which opens one socket." })),
    token: Type.Optional(
      Type.String({ maxLength: 8192, description: "An access token or an API key; a header is the better place." }),
    ),
  },
  { additionalProperties: false },
);
