// Subscriptions' routes: declarations and one call each.

import { Elysia, t } from "elysia";
import type { Principal, RequestOrigin } from "../../domain/principal";
import type { IdempotencyTicket } from "../../storage/idempotency";
import {
  SubscriptionDetail,
  SubscriptionPage,
  SubscriptionPath,
  SubscriptionQuery,
  SubscriptionRequest,
} from "./model";
import { pageLimitDefault } from "./rules";
import type { Subscriptions } from "./service";

export interface SubscriptionsRoutesDependencies {
  readonly subscriptions: Subscriptions;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
  readonly idempotencyOf: (request: Request) => IdempotencyTicket | null;
}

const tags = ["Market"];

/** GET and POST /api/v1/subscriptions, GET and DELETE /api/v1/subscriptions/{id}. */
export function subscriptionsRoutes(dependencies: SubscriptionsRoutesDependencies) {
  const { subscriptions, principalOf, originOf, idempotencyOf } = dependencies;
  return new Elysia({ name: "subscriptions" })
    .get(
      "/api/v1/subscriptions",
      ({ request, query: { account_id, underlying, limit, cursor } }) =>
        subscriptions.list({
          userId: principalOf(request).userId,
          ...(account_id !== undefined && { accountId: account_id }),
          ...(underlying !== undefined && { underlying }),
          limit: limit === undefined ? pageLimitDefault : Number(limit),
          ...(cursor !== undefined && { cursor }),
        }),
      {
        query: SubscriptionQuery,
        response: { 200: SubscriptionPage },
        detail: {
          permission: "market:read",
          operationId: "listSubscriptions",
          summary: "What your accounts are subscribed to, newest first",
          description: "With the state of each: how much of it the sources have confirmed, and why it is not more.",
          tags,
        },
      },
    )
    .post(
      "/api/v1/subscriptions",
      ({ request, body, set }) => {
        set.status = 201;
        return subscriptions.subscribe({
          userId: principalOf(request).userId,
          asked: body,
          idempotency: idempotencyOf(request),
          origin: originOf(request),
        });
      },
      {
        body: SubscriptionRequest,
        response: { 201: SubscriptionDetail },
        detail: {
          permission: "stream:read",
          operationId: "createSubscription",
          summary: "Keep instruments, or a ladder of strikes, up to date for an account",
          description:
            "Kept until it is deleted, over restarts. Asking again for the same thing in the same account changes nothing and answers what is there. Instruments that several subscriptions want are asked for once.",
          tags,
          idempotent: true,
        },
      },
    )
    .get(
      "/api/v1/subscriptions/:id",
      ({ request, params: { id } }) => subscriptions.get({ userId: principalOf(request).userId, id }),
      {
        params: SubscriptionPath,
        response: { 200: SubscriptionDetail },
        detail: {
          permission: "market:read",
          operationId: "getSubscription",
          summary: "A subscription, with all that it stands for now",
          description: "Another user's is 404.",
          tags,
        },
      },
    )
    .delete(
      "/api/v1/subscriptions/:id",
      async ({ request, params: { id }, set }) => {
        set.status = 204;
        await subscriptions.unsubscribe({ userId: principalOf(request).userId, id, origin: originOf(request) });
      },
      {
        params: SubscriptionPath,
        response: { 204: t.Void() },
        detail: {
          permission: "stream:read",
          operationId: "deleteSubscription",
          summary: "End a subscription",
          description: "What nobody else wants is no longer asked for. Another user's is 404.",
          tags,
        },
      },
    );
}
