// Routes that are on their way out: what a declaration says of it, as headers of every answer (RFC 9745, RFC 8594, RFC 5829), and a
// line in the log for each user who still comes. Separate because most servers have none: nothing here costs a route that stays.

import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { Log } from "../foundation/log";
import { RepeatCounter } from "../foundation/repeats";

/** What a route says of its end. Days are UTC's, such as 2027-03-31. */
export interface DeprecationDetail {
  /** The day from which on nobody should begin to use it. */
  readonly since: string;
  /** The day from which on it may be gone. */
  readonly sunset: string;
  /** The pattern of the route that takes its place; it may use this one's parameters. */
  readonly successor: string;
}

/** The same, ready for answers. */
export interface Deprecation {
  /** The value of Deprecation, a date of structured fields. */
  readonly since: string;
  /** The value of Sunset, a date of HTTP. */
  readonly sunset: string;
  readonly successor: string;
}

/** Throws BsoptError `internal` ROUTE_INCOMPLETE where a day is none, or the route would be gone before it was said to go. */
export function readDeprecation(name: string, pattern: string, detail: DeprecationDetail): Deprecation {
  const since = dayOf(detail.since);
  const sunset = dayOf(detail.sunset);
  if (since === null || sunset === null)
    throw refuse(`${name}: since and sunset are days that exist, such as 2027-03-31`);
  if (sunset < since) throw refuse(`${name} ends (${detail.sunset}) before it is deprecated (${detail.since})`);
  const own = parametersOf(pattern);
  const unknown = parametersOf(detail.successor).filter((parameter) => !own.includes(parameter));
  if (unknown.length > 0) throw refuse(`${name}: its successor needs ${unknown.join(", ")}, which it has not`);
  return {
    since: `@${since / 1000}`,
    sunset: new Date(sunset).toUTCString(),
    successor: detail.successor,
  };
}

/** Throws where a successor is no route, or is one that goes itself. */
export function checkSuccessors(
  routes: readonly { readonly method: string; readonly pattern: string; readonly deprecation: Deprecation | null }[],
): void {
  for (const { method, pattern, deprecation } of routes) {
    if (deprecation === null) continue;
    const stays = routes.some((other) => other.pattern === deprecation.successor && other.deprecation === null);
    if (!stays) throw refuse(`${method} ${pattern}: its successor ${deprecation.successor} is no route that stays`);
  }
}

/** Says it in an answer to a request of that path. */
export function setDeprecationHeaders(
  headers: Headers,
  { since, sunset, successor }: Deprecation,
  { pattern, path }: { readonly pattern: string; readonly path: string },
): void {
  const parts = path.split("/");
  const given = new Map(pattern.split("/").map((segment, index) => [segment, parts[index] ?? ""]));
  const target = successor.split("/").map((segment) => (segment.startsWith(":") ? given.get(segment) : segment));
  headers.set("deprecation", since);
  headers.set("sunset", sunset);
  headers.append("link", `<${target.join("/")}>; rel="successor-version"`);
}

/** What this needs to know of an answer. */
interface Asked {
  readonly route: {
    readonly method: string;
    readonly pattern: string;
    readonly deprecation: Deprecation | null;
  } | null;
  readonly principal: { readonly userId: string } | null;
}

const toldEveryMilliseconds = 3_600_000;

/** What is to be told of each answer: who uses what goes, once an hour each, and how often meanwhile. */
export function createDeprecationLog({
  log,
  clock,
}: {
  readonly log: Log;
  readonly clock: Clock;
}): (answered: Asked) => void {
  const uses = new RepeatCounter<object>({ windowMilliseconds: toldEveryMilliseconds, kindCountMax: 1000 });
  return ({ route, principal }) => {
    if (!route?.deprecation) return;
    const now = clock.monotonicMilliseconds();
    for (const { value, count } of uses.takeEnded(now)) log.warn({ ...value, count }, "a deprecated route was used on");
    const { method, pattern: path, deprecation } = route;
    const userId = principal?.userId ?? null;
    const line = { method, route: path, user_id: userId, sunset: deprecation.sunset, successor: deprecation.successor };
    if (uses.isFirst(`${method} ${path} ${userId}`, line, now)) log.warn(line, "a deprecated route was used");
  };
}

/** Midnight of the day in milliseconds since 1970; null where there is no such day. */
function dayOf(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text) ? day.getTime() : null;
}

function parametersOf(pattern: string): string[] {
  return pattern.split("/").filter((segment) => segment.startsWith(":"));
}

function refuse(detail: string): BsoptError {
  return new BsoptError({ reason: "internal", code: "ROUTE_INCOMPLETE", detail });
}
