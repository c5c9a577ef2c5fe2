// How often anybody may ask: by address, by user, by a key's class, and by endpoint (S2.27 to S2.29). The gate asks here at the
// places that the contract's order names; what a bucket is stands in foundation/token-bucket. It must never let a request
// by a stranger go uncounted, and never make one by a key without limits wait.
//
//   - A request of nobody known (a public route, an unknown address, missing or wrong credentials) or without permission
//     takes a token of its address.
//   - A request by a principal of class standard takes one of its address, its user and its endpoint, or none.
//   - Any other class counts instead of all three: `bot` by key, `unlimited` not at all. So nothing is taken before it is known who
//     asks. Where the address has no token left, a credential lately seen in such a class is still looked at, and a few others.

import { createHash } from "node:crypto";
import type { EndpointLimit, Rate } from "../config/rate-limits";
import { formatAddress, parsePeerAddress } from "../domain/address";
import type { Principal } from "../domain/principal";
import { unreachable } from "../foundation/assert";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import {
  type BucketDecision,
  type BucketPolicy,
  type BucketStore,
  type BucketWant,
  MemoryBucketStore,
} from "../foundation/token-bucket";
import type { Route } from "./routes";

/** What was decided, and by which policy. */
export interface LimitVerdict {
  readonly policy: BucketPolicy;
  readonly decision: BucketDecision;
}

type Soon<T> = T | Promise<T>;

/** A request's context, as far as limits read it: asking for the address costs, so it is asked only where it counts. */
export interface Caller {
  readonly clientAddress: string;
}

export interface Limits {
  /** Other paces from now on; what was counted stays counted. Throws as prepare does, and changes nothing then. */
  change(paces: Paces): void;
  /** Told of every route once, at the start. Throws BsoptError `invalid` LIMIT_ROUTE_UNKNOWN for a limit that is of none. */
  prepare(routes: readonly Route[]): void;
  /** Null, or a refusal where the address has no token left. Takes nothing. */
  spentAddress(caller: Caller): Soon<LimitVerdict | null>;
  /**
   * Whether a credential is looked at though its address is spent: it was lately admitted to a class that does not count by
   * address, or it is among the few of that address that may still turn out to be.
   */
  mayBeClassed(caller: Caller, credential: string): boolean;
  /** Takes a token of the address, for a public route also of the endpoint; null: not limited. */
  byAddress(caller: Caller, route: Route | null): Soon<LimitVerdict | null>;
  /** Takes what the principal's class counts by; null: not limited. The credential is what the request showed. */
  byPrincipal(principal: Principal, caller: Caller, route: Route, credential: string): Soon<LimitVerdict | null>;
}

/** Lets everything through. */
export const noLimits: Limits = {
  change: () => undefined,
  prepare: () => undefined,
  spentAddress: () => null,
  mayBeClassed: () => false,
  byAddress: () => null,
  byPrincipal: () => null,
};

export interface Paces {
  /** False: nothing is limited, and nothing counted. */
  readonly isEnabled?: boolean;
  readonly address: Rate;
  readonly user: Rate;
  readonly bot: Rate;
  readonly endpoints: readonly EndpointLimit[];
}

export interface LimitsOptions extends Paces {
  readonly store: BucketStore;
  readonly clock: Clock;
}

const addressPolicyName = "address";

/** Credentials of a spent address that are looked at all the same: few enough to cost nothing, enough for a key to come in. */
const lookPolicy: BucketPolicy = { name: "look", perMinute: 60, burst: 5 };
const lookCountMax = 10_000;
const spentCountMax = 100_000;
const classedCountMax = 10_000;

export function createLimits(options: LimitsOptions): Limits {
  const { store, clock } = options;
  let policies = policiesOf(options, []);
  let routes: readonly Route[] = [];
  /** Addresses whose last token went, until when they may have one again (monotonic milliseconds), oldest first. */
  const spent = new Map<string, number>();
  const classed = new Set<string>();
  const noted = new WeakSet<Principal>();
  const looks = new MemoryBucketStore({ clock, countMax: lookCountMax });

  function change(paces: Paces): void {
    policies = policiesOf(paces, routes);
    // Whoever had spent the old pace is judged by the new one.
    spent.clear();
  }

  function spentAddress(caller: Caller): Soon<LimitVerdict | null> {
    if (!policies.isEnabled || spent.size === 0) return null;
    const key = addressKey(caller.clientAddress);
    const until = spent.get(key);
    if (until === undefined) return null;
    if (clock.monotonicMilliseconds() >= until) {
      spent.delete(key);
      return null;
    }
    const policy = policies.address;
    const seen = store.peek(key, policy);
    const refusal = (decision: BucketDecision) => (decision.allowed ? null : { policy, decision });
    return seen instanceof Promise ? seen.then(refusal) : refusal(seen);
  }

  function byAddress(caller: Caller, route: Route | null): Soon<LimitVerdict | null> {
    if (!policies.isEnabled || route?.isUnlimited) return null;
    const key = addressKey(caller.clientAddress);
    const wants = [{ key, policy: policies.address }];
    const endpoint = route?.permission === "public" ? policies.ofRoute.get(route) : undefined;
    if (endpoint) wants.push({ key: `address ${key}`, policy: endpoint });
    return decided(wants);
  }

  function byPrincipal(
    principal: Principal,
    caller: Caller,
    route: Route,
    credential: string,
  ): Soon<LimitVerdict | null> {
    if (!policies.isEnabled || route.isUnlimited) return null;
    switch (principal.rateClass) {
      case "unlimited":
        noteClassed(principal, credential);
        return null;
      case "bot":
        noteClassed(principal, credential);
        return decided([{ key: principal.credential.id, policy: policies.bot }]);
      case "standard": {
        const wants = [
          { key: addressKey(caller.clientAddress), policy: policies.address },
          { key: principal.userId, policy: policies.user },
        ];
        const endpoint = policies.ofRoute.get(route);
        if (endpoint) wants.push({ key: `user ${principal.userId}`, policy: endpoint });
        return decided(wants);
      }
      default:
        return unreachable(principal.rateClass);
    }
  }

  function decided(wants: readonly BucketWant[]): Soon<LimitVerdict> {
    const decisions = store.takeAll(wants);
    return decisions instanceof Promise
      ? decisions.then((list) => verdictOf(wants, list))
      : verdictOf(wants, decisions);
  }

  function verdictOf(wants: readonly BucketWant[], decisions: readonly BucketDecision[]): LimitVerdict {
    // The address always comes first where it counts at all.
    if (wants[0]!.policy.name === addressPolicyName && decisions[0]!.remaining === 0)
      noteSpent(wants[0]!.key, decisions[0]!);
    let tightest = 0;
    for (let index = 1; index < decisions.length; index++) {
      if (isTighter(decisions[index]!, decisions[tightest]!)) tightest = index;
    }
    return { policy: wants[tightest]!.policy, decision: decisions[tightest]! };
  }

  function noteSpent(key: string, { retryAfterSeconds }: BucketDecision): void {
    spent.delete(key);
    // Without a note an address is still refused when it takes its token: later, and not less.
    if (spent.size >= spentCountMax) spent.delete(spent.keys().next().value!);
    spent.set(key, clock.monotonicMilliseconds() + retryAfterSeconds * 1000);
  }

  function noteClassed(principal: Principal, credential: string): void {
    if (noted.has(principal)) return;
    noted.add(principal);
    if (classed.size >= classedCountMax) classed.delete(classed.values().next().value!);
    classed.add(fingerprintOf(credential));
  }

  return {
    change,
    prepare(known) {
      routes = known;
      change(options);
    },
    spentAddress,
    mayBeClassed: (caller, credential) =>
      classed.has(fingerprintOf(credential)) || looks.take(addressKey(caller.clientAddress), lookPolicy).allowed,
    byAddress,
    byPrincipal,
  };
}

interface Policies {
  readonly isEnabled: boolean;
  readonly address: BucketPolicy;
  readonly user: BucketPolicy;
  readonly bot: BucketPolicy;
  readonly ofRoute: ReadonlyMap<Route, BucketPolicy>;
}

function policiesOf({ isEnabled = true, address, user, bot, endpoints }: Paces, routes: readonly Route[]): Policies {
  const ofRoute = new Map<Route, BucketPolicy>();
  if (routes.length > 0) for (const limit of endpoints) requireKnown(limit, routes);
  for (const route of routes) {
    // The first that fits, as it is read.
    const index = endpoints.findIndex((limit) => isOf(limit, route));
    const found = endpoints[index];
    if (found?.isEnabled) ofRoute.set(route, { name: `endpoint-${index + 1}`, ...found.rate });
  }
  return {
    isEnabled,
    address: { name: addressPolicyName, ...address },
    user: { name: "user", ...user },
    bot: { name: "bot", ...bot },
    ofRoute,
  };
}

/** Whether a limit is of any of the routes. */
export function isKnownLimit(limit: EndpointLimit, routes: readonly Pick<Route, "method" | "pattern">[]): boolean {
  return routes.some((route) => isOf(limit, route));
}

function requireKnown(limit: EndpointLimit, routes: readonly Route[]): void {
  if (isKnownLimit(limit, routes)) return;
  throw new BsoptError({
    reason: "invalid",
    code: "LIMIT_ROUTE_UNKNOWN",
    detail: `endpoint_limits names ${limit.method ?? "any method"} ${limit.path}${limit.isPrefix ? "*" : ""}, and there is no such route`,
    hint: "write a route as the API's document does, with :id for {id}, or the beginning of some with * behind it",
  });
}

function isOf({ method, path, isPrefix }: EndpointLimit, route: Pick<Route, "method" | "pattern">): boolean {
  if (method !== null && method !== route.method) return false;
  return isPrefix ? route.pattern.startsWith(path) : route.pattern === path;
}

function isTighter(one: BucketDecision, other: BucketDecision): boolean {
  if (one.allowed !== other.allowed) return !one.allowed;
  return one.allowed ? one.remaining < other.remaining : one.retryAfterSeconds > other.retryAfterSeconds;
}

/** Of a secret, so it must not be kept or compared as it is. */
function fingerprintOf(credential: string): string {
  return createHash("sha256").update(credential).digest("base64");
}

const prefixBits = 64n;

/**
 * The bucket of an address: an IPv4 address, also one written inside IPv6; an IPv6 network of 64 bits, which is what one
 * subscriber has; one for all that have none that can be read.
 */
export function addressKey(text: string): string {
  // A dotted address comes from the socket or from formatAddress, and has one spelling.
  if (/^[0-9.]{7,15}$/.test(text)) return text;
  const address = parsePeerAddress(text);
  if (address === null) return "unknown";
  if (address.bitCount === 32) return formatAddress(address);
  return `${(address.bits >> prefixBits).toString(16)}/64`;
}

/** The values of the five headers that tell a client where it stands. */
export function setLimitHeaders(headers: Headers, { policy, decision }: LimitVerdict): void {
  const { limit, remaining, resetSeconds } = decision;
  headers.set("x-ratelimit-limit", String(limit));
  headers.set("x-ratelimit-remaining", String(remaining));
  headers.set("x-ratelimit-reset", String(resetSeconds));
  // draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4: structured fields, quoted names.
  headers.set("ratelimit-policy", `"${policy.name}";q=${limit};w=${60 * (policy.windowMinutes ?? 1)}`);
  headers.set("ratelimit", `"${policy.name}";r=${remaining};t=${resetSeconds}`);
}
