// Small features that only tests serve: one route of each kind the gate decides about.

import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { idempotencyOf, principalOf, recordTiming } from "../../src/http/request-context";
import type { IdempotencyTicket } from "../../src/storage/idempotency";

export const Thing = Type.Object(
  { name: Type.String({ maxLength: 20 }), size: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9 })) },
  { additionalProperties: false, $id: "Thing", examples: [{ name: "one", size: 1 }] },
);

export const ThingMade = Type.Object(
  { id: Type.String(), name: Type.String() },
  { additionalProperties: false, $id: "ThingMade", examples: [{ id: "a", name: "one" }] },
);

const Opened = Type.Object(
  { open: Type.Literal(true) },
  { additionalProperties: false, $id: "Opened", examples: [{ open: true }] },
);

const ThingRead = Type.Object(
  { id: Type.String(), seen: Type.Union([Type.String(), Type.Null()]) },
  { additionalProperties: false, $id: "ThingRead" },
);

export function probeRoutes(
  options: {
    onMake?: (name: string, ticket: IdempotencyTicket | null) => Promise<void> | void;
    onRead?: (request: Request) => string;
  } = {},
) {
  return new Elysia({ name: "probe" })
    .get("/open", () => ({ open: true as const }), {
      response: { 200: Opened },
      detail: { permission: "public", operationId: "readOpen", summary: "Anyone may", tags: ["Probe"] },
    })
    .get("/api/v1/things/:id", ({ params, request }) => ({ id: params.id, seen: options.onRead?.(request) ?? null }), {
      params: Type.Object({ id: Type.String({ maxLength: 100, examples: ["a"] }) }, { additionalProperties: false }),
      response: { 200: ThingRead },
      detail: { permission: "pricing:read", operationId: "readThing", summary: "Read a thing", tags: ["Probe"] },
    })
    .post(
      "/api/v1/things",
      async ({ body, request }) => {
        recordTiming(request, "work", 0.25);
        await options.onMake?.(body.name, idempotencyOf(request));
        return { id: principalOf(request).userId, name: body.name };
      },
      {
        body: Thing,
        query: Type.Object({ x: Type.Optional(Type.String({ maxLength: 100 })) }, { additionalProperties: false }),
        response: { 201: ThingMade },
        detail: {
          permission: "orders:write",
          operationId: "makeThing",
          summary: "Make a thing",
          tags: ["Probe"],
          bodyBytesMax: 4096,
          idempotent: true,
        },
      },
    )
    .get("/api/v1/boxes/:id", ({ params, query }) => ({ id: params.id, name: query.name ?? "" }), {
      params: Type.Object(
        { id: Type.String({ maxLength: 100, pattern: "^[a-z]+$", examples: ["a"] }) },
        { additionalProperties: false },
      ),
      query: Type.Object({ name: Type.Optional(Type.String({ maxLength: 3 })) }, { additionalProperties: false }),
      response: { 200: ThingMade },
      detail: { permission: "market:read", operationId: "readBox", summary: "Read a box", tags: ["Probe"] },
    })
    .delete("/api/v1/things/:id", () => undefined, {
      params: Type.Object({ id: Type.String({ maxLength: 100, examples: ["a"] }) }, { additionalProperties: false }),
      response: { 204: Type.Void() },
      detail: { permission: "admin", operationId: "deleteThing", summary: "Delete a thing", tags: ["Probe"] },
    });
}
