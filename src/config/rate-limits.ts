// How a pace is written in a setting ("100/min burst 10") and a limit of an endpoint ("POST /api/v1/orders=10/min
// burst 2"). Separate because both the table of settings and the reader need it. It must never know a route.

/** How fast something may come: tokens that come back in a minute, and how many may be used at once. */
export interface Rate {
  readonly perMinute: number;
  readonly burst: number;
}

/** A pace of its own for some routes. */
export interface EndpointLimit {
  /** Null: any method. */
  readonly method: string | null;
  /** A route as the reference writes it, such as /api/v1/api-keys/:id, or the beginning of some without the asterisk. */
  readonly path: string;
  readonly isPrefix: boolean;
  readonly rate: Rate;
  readonly isEnabled: boolean;
}

const rate = "([1-9][0-9]{0,6})/min(?: burst ([1-9][0-9]{0,6}))?";
/** What a pace must look like. */
export const ratePattern = `^${rate}$`;
/** What a limit of an endpoint must look like. */
export const endpointLimitPattern = `^(?:(GET|POST|PUT|PATCH|DELETE) )?(/[A-Za-z0-9._~:/-]*)(\\*?)=${rate}( off)?$`;

/** Reads a pace; null where it is none. Without a burst it is a tenth of the minute's, at least 1. */
export function parseRate(text: string): Rate | null {
  const match = new RegExp(ratePattern).exec(text);
  return match && rateOf(match[1]!, match[2]);
}

/** Reads a limit of an endpoint; null where it is none. */
export function parseEndpointLimit(text: string): EndpointLimit | null {
  const match = new RegExp(endpointLimitPattern).exec(text);
  if (!match) return null;
  const [, method, path, star, perMinute, burst, off] = match;
  return {
    method: method ?? null,
    path: path!,
    isPrefix: star === "*",
    rate: rateOf(perMinute!, burst),
    isEnabled: off === undefined,
  };
}

function rateOf(perMinuteText: string, burstText: string | undefined): Rate {
  const perMinute = Number(perMinuteText);
  return { perMinute, burst: burstText === undefined ? Math.ceil(perMinute / 10) : Number(burstText) };
}
