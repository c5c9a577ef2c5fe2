// The route of the market's mode: a declaration and one call.

import { Elysia } from "elysia";
import { parseTimestamp, timestampFaultDetail } from "../../domain/day-count";
import { BsoptError } from "../../foundation/errors";
import { ModeAnswer, ModeQuery } from "./model";
import type { Mode } from "./service";

/** GET /api/v1/market/mode. */
export function modeRoutes({ mode }: { readonly mode: Mode }) {
  return new Elysia({ name: "mode" }).get(
    "/api/v1/market/mode",
    ({ query: { as_of } }) => {
      if (as_of === undefined) return mode.state(null);
      const moment = parseTimestamp(as_of);
      if (typeof moment === "bigint") return mode.state(moment);
      const detail = timestampFaultDetail[moment];
      const faults = [{ pointer: "/query/as_of", code: "TIMESTAMP_INVALID", detail }];
      throw new BsoptError({ reason: "invalid", code: "SCHEMA_INVALID", detail: `/query/as_of ${detail}`, faults });
    },
    {
      query: ModeQuery,
      response: { 200: ModeAnswer },
      detail: {
        permission: "market:read",
        operationId: "getMarketMode",
        summary: "Whether the market trades, is simulated, or is closed",
        description: "With every calendar's session, and when each changes next.",
        tags: ["Market"],
      },
    },
  );
}
