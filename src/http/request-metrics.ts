// What is counted of every request once it is answered: by route, by who was let in or kept out, by limit, and what was priced. Separate from the
// server because it decides nothing. It runs on every request, so series are found once, at the start, and what can be a number
// in a map is one. It must never use a word of the request's as a label.

import type { Credential } from "../domain/principal";
import { unreachable } from "../foundation/assert";
import { type Metrics, type Recorder, Tally } from "../telemetry/metrics";
import { statusesOf } from "./openapi";
import { denialOf, unmatchedStatuses } from "./problem";
import type { Route } from "./routes";
import type { Answered } from "./server";

export interface RequestMetricsOptions {
  readonly metrics: Metrics;
  readonly routes: readonly Route[];
  /** Requests that are being answered now. */
  readonly requestsInFlight: () => number;
  /** How many wait in line. */
  readonly requestsWaiting: () => number;
  /** How many were refused for the load since the start. */
  readonly requestsShed: () => number;
  /** Limits of endpoints that are set; their buckets are endpoint-1 and on. */
  readonly endpointLimitCount: number;
}

/** Codes of 401 and 403 that have a series from the start. */
const unauthenticatedCodes = [
  "CREDENTIALS_MISSING",
  "CREDENTIALS_AMBIGUOUS",
  "CREDENTIALS_MALFORMED",
  "API_KEY_INVALID",
  "API_KEY_REVOKED",
  "API_KEY_EXPIRED",
  "API_KEYS_DISABLED",
  "USER_DISABLED",
  "TOKEN_INVALID",
  "SESSION_ENDED",
  "REFRESH_INVALID",
  "LOGIN_FAILED",
  "MFA_FAILED",
  "INVALID_CLIENT",
  "REAUTHENTICATION_FAILED",
  "OTHER",
];
const forbiddenCodes = [
  "PERMISSION_MISSING",
  "CSRF_INVALID",
  "EMAIL_UNVERIFIED",
  "SCOPE_NOT_HELD",
  "RATE_CLASS_NOT_ALLOWED",
  "REGISTRATION_CLOSED",
  "OTHER",
];
const credentials = ["api_key", "key_token", "access_token", "cookie"] as const;

/** What is kept of one route. */
interface RouteSeries {
  readonly statuses: Tally;
  readonly seconds: Recorder;
  /** Of routes that price. */
  readonly priced: { readonly options: Recorder; readonly kernelSeconds: Recorder } | null;
}

/** Feeds every metric about requests; gives what is to be told of each answer, about a microsecond's work. */
export function createRequestMetrics(options: RequestMetricsOptions): (answered: Answered) => void {
  const { metrics, routes, requestsInFlight, requestsShed, requestsWaiting, endpointLimitCount } = options;
  const series = new Map<Route, RouteSeries>();
  const unmatched: RouteSeries = {
    statuses: new Tally(unmatchedStatuses.map(String)),
    seconds: metrics.recorder("http_request_duration_seconds", { method: "any", route: "unmatched" }),
    priced: null,
  };
  for (const route of routes) series.set(route, seriesOf(route, metrics));
  const admitted = new Tally(credentials);
  const unauthenticated = new Tally(unauthenticatedCodes);
  const forbidden = new Tally(forbiddenCodes);
  const buckets = ["address", "user", "bot"];
  for (let index = 1; index <= endpointLimitCount; index++) buckets.push(`endpoint-${index}`);
  const allowed = new Tally(buckets);
  const refused = new Tally(buckets);

  metrics.feed("bsopt_requests_waiting", () => [{ labels: {}, value: requestsWaiting() }]);
  metrics.feed("bsopt_requests_shed_total", () => [{ labels: {}, value: requestsShed() }]);
  metrics.feed("http_requests_total", () => [
    ...unmatched.statuses.samples((status) => ({ method: "any", route: "unmatched", status })),
    // Refused before it was looked what they asked for.
    { labels: { method: "any", route: "unmatched", status: "503" }, value: requestsShed() },
    ...[...series].flatMap(([{ method, pattern }, { statuses }]) =>
      statuses.samples((status) => ({ method, route: pattern, status })),
    ),
  ]);
  metrics.feed("http_requests_in_flight", () => [{ labels: {}, value: requestsInFlight() }]);
  metrics.feed("bsopt_auth_admitted_total", () => admitted.samples((credential) => ({ credential })));
  metrics.feed("bsopt_auth_refused_total", () => [
    ...unauthenticated.samples((code) => ({ kind: "unauthenticated", code })),
    ...forbidden.samples((code) => ({ kind: "forbidden", code })),
  ]);
  metrics.feed("bsopt_rate_limit_decisions_total", () => [
    ...allowed.samples((bucket) => ({ bucket, decision: "allowed" })),
    ...refused.samples((bucket) => ({ bucket, decision: "refused" })),
  ]);

  return ({ route, status, milliseconds, isAdmitted, principal, problem, limit, optionCount, engineMilliseconds }) => {
    const { statuses, seconds, priced } = (route && series.get(route)) ?? unmatched;
    statuses.add(String(status));
    seconds(milliseconds / 1000);
    if (isAdmitted && principal !== null) admitted.add(wordOf(principal.credential));
    if (limit !== null) (limit.decision.allowed ? allowed : refused).add(limit.policy.name);
    if (problem !== null) {
      const denial = denialOf(problem);
      if (denial === "unauthenticated") addCode(unauthenticated, problem.code);
      else if (denial === "forbidden") addCode(forbidden, problem.code);
    } else if (priced !== null && optionCount !== null) {
      priced.options(optionCount);
      priced.kernelSeconds(engineMilliseconds / 1000);
    }
  };
}

function seriesOf(route: Route, metrics: Metrics): RouteSeries {
  const { method, pattern, detail } = route;
  const labels = { operation: detail.operationId ?? "" };
  return {
    statuses: new Tally(statusesOf(route)),
    seconds: metrics.recorder("http_request_duration_seconds", { method, route: pattern }),
    priced:
      detail.tags?.[0] === "Pricing" && method === "POST"
        ? {
            options: metrics.recorder("bsopt_pricing_options", labels),
            kernelSeconds: metrics.recorder("bsopt_pricing_kernel_seconds", labels),
          }
        : null,
  };
}

function addCode(tally: Tally, code: string): void {
  tally.add(tally.has(code) ? code : "OTHER");
}

function wordOf(credential: Credential): (typeof credentials)[number] {
  switch (credential.kind) {
    case "api_key":
      return credential.tokenId === undefined ? "api_key" : "key_token";
    case "login_session":
      return credential.via === "cookie" ? "cookie" : "access_token";
    default:
      return unreachable(credential);
  }
}
