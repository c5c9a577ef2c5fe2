// Which other origins' pages may read answers (CORS, Fetch standard). An exact allow-list, none by default. It must
// never answer with *, and never allow credentials: keys travel in headers, not in cookies.

export interface CrossOrigin {
  /** Headers for an answer to a request from this origin; empty where it is not allowed. */
  answerHeaders(origin: string | null): Readonly<Record<string, string>>;
  /** Headers for a preflight; empty where the origin is not allowed. */
  preflightHeaders(origin: string | null, allow: string): Readonly<Record<string, string>>;
}

const requestHeaders =
  "Authorization, Content-Encoding, Content-Type, Idempotency-Key, X-API-Key, X-Request-Id, traceparent, tracestate";
const exposedHeaders =
  "Engine-Version, Engine-Wasm-Sha256, Inputs-Hash, Valuation-Time, X-Request-Id, Server-Timing, Idempotency-Replayed, Retry-After, RateLimit, RateLimit-Policy, " +
  "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset";
const preflightSecondsMax = "600";

/** The rule for a fixed list of origins (scheme, host and port, as browsers send them). */
export function crossOriginOf(origins: readonly string[]): CrossOrigin {
  const allowed = new Set(origins);
  // With a list at all, caches must keep answers to different origins apart, the refused ones too.
  const apart: Readonly<Record<string, string>> = allowed.size === 0 ? {} : { vary: "Origin" };
  return {
    answerHeaders: (origin) =>
      origin !== null && allowed.has(origin)
        ? { ...apart, "access-control-allow-origin": origin, "access-control-expose-headers": exposedHeaders }
        : apart,
    preflightHeaders: (origin, allow) =>
      origin !== null && allowed.has(origin)
        ? {
            ...apart,
            "access-control-allow-origin": origin,
            "access-control-allow-methods": allow,
            "access-control-allow-headers": requestHeaders,
            "access-control-max-age": preflightSecondsMax,
          }
        : apart,
  };
}
