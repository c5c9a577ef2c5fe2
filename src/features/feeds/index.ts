// How the market's sources are, for whoever may read the market. It tells names of files, never folders, addresses or tokens.

import { Elysia } from "elysia";
import { formatTimestamp } from "../../foundation/clock";
import { type FeedOnWire, MarketFeeds } from "./model";
import type { FeedStatus, Feeds } from "./service";

/** GET /api/v1/market/feeds. */
export function feedsRoutes({ feeds }: { readonly feeds: Pick<Feeds, "statuses"> }) {
  return new Elysia({ name: "feeds" }).get("/api/v1/market/feeds", () => ({ data: feeds.statuses().map(onWire) }), {
    response: { 200: MarketFeeds },
    detail: {
      permission: "market:read",
      operationId: "marketFeeds",
      summary: "The market's sources: their states, and what they delivered and lacked",
      tags: ["Market"],
    },
  });
}

function onWire(status: FeedStatus): FeedOnWire {
  const moment = (at: bigint | null) => (at === null ? null : formatTimestamp(at));
  return {
    ...{ name: status.name, kind: status.kind, state: status.state, since: formatTimestamp(status.since) },
    ...{ last_message_at: moment(status.lastMessageAt), last_quote_at: moment(status.lastQuoteAt) },
    ...{ wanted: status.wantedCount, confirmed: status.confirmedCount, batches: status.batchCount },
    ...{ quotes: status.quoteCount, gaps: status.gapCount, missing: status.missingCount, faults: status.faultCount },
    ...{ reconnects: status.reconnectCount, conflated: status.conflatedCount, dropped: status.droppedCount },
    lag_seconds: Number.isFinite(status.lagSeconds) ? status.lagSeconds : null,
    last_trouble: status.lastTrouble,
  };
}
