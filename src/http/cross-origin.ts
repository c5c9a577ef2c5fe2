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
  "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Deprecation, Sunset, Link";
const preflightSecondsMax = "600";

/** The rule for a list of origins (scheme, host and port, as browsers send them), which is looked at anew each time. */
export function crossOriginOf(settings: { readonly corsOrigins: readonly string[] }): CrossOrigin {
  const isAllowed = (origin: string | null): origin is string =>
    origin !== null && settings.corsOrigins.includes(origin);
  // With a list at all, caches must keep answers to different origins apart, the refused ones too.
  const apart = (): Readonly<Record<string, string>> => (settings.corsOrigins.length === 0 ? {} : { vary: "Origin" });
  return {
    answerHeaders: (origin) =>
      isAllowed(origin)
        ? { ...apart(), "access-control-allow-origin": origin, "access-control-expose-headers": exposedHeaders }
        : apart(),
    preflightHeaders: (origin, allow) =>
      isAllowed(origin)
        ? {
            ...apart(),
            "access-control-allow-origin": origin,
            "access-control-allow-methods": allow,
            "access-control-allow-headers": requestHeaders,
            "access-control-max-age": preflightSecondsMax,
          }
        : apart(),
  };
}
