// Judges a candidate by what it answered beside a baseline, pair by pair. Separate from asking because it is pure: the same pairs give the
// same verdict. Answers of the same engine must be the same bits; of different engines each may be off the truth by what the
// accuracy page allows, so the two may be apart by twice that.

/** One server's answer to one request. */
export interface Side {
  /** 0: none came. */
  readonly status: number;
  readonly milliseconds: number;
  readonly json: unknown;
}

/** The same request to both. */
export interface Pair {
  readonly request: string;
  /** The larger of underlying and strike, in whose units a price's error is stated. */
  readonly scale: number;
  readonly baseline: Side;
  readonly candidate: Side;
}

export interface Bounds {
  /** Of requests, of which the candidate may answer less than that wrongly. */
  readonly errorRateMax: number;
  /** How many times as long the candidate may take, at the median and at the 95th percentile. */
  readonly latencyRatioMax: number;
}

/** Differences below this are the machine's, not the candidate's. */
export const latencyNoiseMilliseconds = 1;

/** Twice what docs/reference/accuracy.md allows one engine. */
const priceErrorMax = 2e-15;
const relativeErrorMax = 2e-13;
const smallValueMax = 1e-12;
const smallErrorMax = 2e-24;
const attainableErrorsMax = 8;

export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
}

export interface CanaryReport {
  readonly passed: boolean;
  readonly pairs: number;
  readonly errors: { readonly baseline: number; readonly candidate: number; readonly rate: number };
  readonly answers: {
    /** Both ran the same kernel, so only the same bits will do. */
    readonly sameEngine: boolean;
    readonly compared: number;
    readonly different: number;
    /** The first few, in words. */
    readonly shown: readonly string[];
  };
  readonly latency: { readonly baseline: Quantiles; readonly candidate: Quantiles; readonly ratio: Quantiles };
  /** What is not as it should be, a sentence each; empty where it passed. */
  readonly faults: readonly string[];
}

const shownMax = 5;

/** The verdict over all pairs, of which there is at least one. */
export function judge(pairs: readonly Pair[], bounds: Bounds): CanaryReport {
  const faults: string[] = [];
  const isAnswered = ({ status }: Side) => status === 200;
  const errors = {
    baseline: pairs.filter(({ baseline }) => !isAnswered(baseline)).length,
    candidate: pairs.filter(({ candidate }) => !isAnswered(candidate)).length,
  };
  const rate = errors.candidate / pairs.length;
  if (rate >= bounds.errorRateMax)
    faults.push(
      `${errors.candidate} of ${pairs.length} requests failed: not less than ${percent(bounds.errorRateMax)}`,
    );
  const both = pairs.filter(({ baseline, candidate }) => isAnswered(baseline) && isAnswered(candidate));
  if (both.length === 0) faults.push("no request was answered by both");
  const shown: string[] = [];
  let different = 0;
  let sameEngine = both.length > 0;
  for (const { request, scale, baseline, candidate } of both) {
    const same = engineOf(baseline.json) === engineOf(candidate.json);
    if (!same) sameEngine = false;
    const found = difference(baseline.json, candidate.json, { isSameEngine: same, scale });
    if (found === null) continue;
    different += 1;
    if (shown.length < shownMax) shown.push(`${found} (${request})`);
  }
  if (different > 0) faults.push(`${different} of ${both.length} answers differ: ${shown[0]}`);
  const latency = latencyOf(both);
  for (const quantile of ["p50", "p95"] as const) {
    const apart = latency.candidate[quantile] - latency.baseline[quantile];
    if (latency.ratio[quantile] > bounds.latencyRatioMax && apart > latencyNoiseMilliseconds)
      faults.push(
        `${quantile} took ${latency.ratio[quantile].toFixed(2)} times as long: more than ${bounds.latencyRatioMax}`,
      );
  }
  return {
    passed: faults.length === 0,
    pairs: pairs.length,
    errors: { ...errors, rate },
    answers: { sameEngine, compared: both.length, different, shown },
    latency,
    faults,
  };
}

function latencyOf(pairs: readonly Pair[]): CanaryReport["latency"] {
  const quantilesOf = (side: (pair: Pair) => Side): Quantiles => {
    const sorted = pairs.map((pair) => side(pair).milliseconds).sort((one, other) => one - other);
    const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
    return { p50: at(0.5), p95: at(0.95) };
  };
  const baseline = quantilesOf((pair) => pair.baseline);
  const candidate = quantilesOf((pair) => pair.candidate);
  const ratio = (one: number, other: number) => (other > 0 ? one / other : 1);
  return {
    baseline,
    candidate,
    ratio: { p50: ratio(candidate.p50, baseline.p50), p95: ratio(candidate.p95, baseline.p95) },
  };
}

function engineOf(json: unknown): unknown {
  return (json as { engine?: { wasm_sha256?: unknown } } | null)?.engine?.wasm_sha256;
}

/**
 * Where the candidate's answer is not the baseline's, in words; null where it is. What the candidate adds is no difference: a contract may
 * grow. What it leaves out is one.
 */
export function difference(
  baseline: unknown,
  candidate: unknown,
  rule: { readonly isSameEngine: boolean; readonly scale: number },
  place = "",
): string | null {
  if (place === "/engine") return null;
  if (typeof baseline === "number" && typeof candidate === "number")
    return isSameNumber(baseline, candidate, rule, place) ? null : `${place} is ${candidate}, was ${baseline}`;
  if (typeof baseline !== "object" || baseline === null || typeof candidate !== "object" || candidate === null)
    return Object.is(baseline, candidate) ? null : `${place} is ${shownValue(candidate)}, was ${shownValue(baseline)}`;
  if (Array.isArray(baseline) && (!Array.isArray(candidate) || baseline.length !== candidate.length))
    return `${place} has another length`;
  // How exactly a volatility could be found at all says how far two may be apart.
  const error = (baseline as { attainable_error?: unknown }).attainable_error;
  for (const [name, value] of Object.entries(baseline)) {
    const isVolatility = name === "implied_volatility" && typeof error === "number" && !rule.isSameEngine;
    const other = (candidate as Record<string, unknown>)[name];
    if (isVolatility && typeof value === "number" && typeof other === "number") {
      if (Math.abs(value - other) <= attainableErrorsMax * error * Math.abs(value)) continue;
    }
    const found = difference(value, other, rule, `${place}/${name}`);
    if (found !== null) return found;
  }
  return null;
}

function isSameNumber(
  baseline: number,
  candidate: number,
  { isSameEngine, scale }: { readonly isSameEngine: boolean; readonly scale: number },
  place: string,
): boolean {
  if (Object.is(baseline, candidate)) return true;
  if (isSameEngine) return false;
  const apart = Math.abs(baseline - candidate);
  if (/^\/price(\/|$)/.test(place)) return apart <= priceErrorMax * scale;
  // An error that is itself a bound is stated to six digits.
  if (place === "/attainable_error") return apart <= 1e-6 * Math.abs(baseline);
  return Math.abs(baseline) <= smallValueMax ? apart <= smallErrorMax : apart <= relativeErrorMax * Math.abs(baseline);
}

function shownValue(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value).slice(0, 60);
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(6))} %`;
}
