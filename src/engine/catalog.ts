// The catalog of models: what can be priced, from which inputs, into which outputs, in which units. Schemas, documents,
// the command line and the tests derive from it, so a new model is one more entry here. Separate from the engine because
// it is plain data: it must never load the wasm nor compute a price.

import { assert, unreachable } from "../foundation/assert";

/** `raw` are the mathematical derivatives; `market` is raw times `unitFactor` (a vol point, a calendar day, a percent). */
export type Units = "market" | "raw";

/** Model names on the wire. */
export type ModelName = "black_scholes_merton";

/** Input names on the wire. */
export type InputName = "spot" | "strike" | "time_to_expiry" | "rate" | "dividend_yield" | "volatility";

/** Output names on the wire. */
export type OutputName = "price" | "delta" | "gamma" | "vega" | "theta" | "rho";

/** One number a model takes. */
export interface InputDefinition {
  readonly name: InputName;
  readonly title: string;
  readonly unit: string;
  /** Absent where the input is required. */
  readonly default?: number;
  /** Which values are priced, in words. */
  readonly domain: string;
  readonly example: number;
}

/** One way to price. */
export interface ModelDefinition {
  /** The kernel's number for it. */
  readonly id: number;
  readonly name: ModelName;
  readonly title: string;
  /** Author, year, equation. */
  readonly source: string;
  readonly inputs: readonly InputDefinition[];
  readonly outputs: readonly OutputName[];
  /** True where a price can be turned back into a volatility. */
  readonly impliedVolatility: boolean;
  /** What happens at the edges, one sentence each. */
  readonly limits: readonly string[];
}

const blackScholesMerton: ModelDefinition = {
  id: 0,
  name: "black_scholes_merton",
  title: "Black–Scholes–Merton, European options on an asset with a continuous dividend yield",
  source: "Black and Scholes (1973); Merton (1973)",
  inputs: [
    {
      name: "spot",
      title: "Price of the underlying now",
      unit: "currency",
      domain: "0 or 6.3e-61 to 1.6e60",
      example: 100,
    },
    {
      name: "strike",
      title: "Price at which the option exercises",
      unit: "currency",
      domain: "0 or 6.3e-61 to 1.6e60",
      example: 105,
    },
    {
      name: "time_to_expiry",
      title: "Time to expiry",
      unit: "years",
      domain: "any; 0 and below is expired; otherwise 6.3e-61 to 1.6e60",
      example: 0.5,
    },
    {
      name: "rate",
      title: "Interest rate, continuously compounded",
      unit: "per year",
      domain: "any with |rate · time| + |dividend_yield · time| ≤ 256",
      example: 0.03,
    },
    {
      name: "dividend_yield",
      title: "Dividend yield, continuously compounded",
      unit: "per year",
      default: 0,
      domain: "any with |rate · time| + |dividend_yield · time| ≤ 256",
      example: 0.01,
    },
    {
      name: "volatility",
      title: "Volatility of the underlying's logarithm",
      unit: "per square root of a year",
      domain: "0 or 6.3e-61 to 1.6e60",
      example: 0.2,
    },
  ],
  outputs: ["price", "delta", "gamma", "vega", "theta", "rho"],
  impliedVolatility: true,
  limits: [
    "time_to_expiry ≤ 0 is expired: the payoff, delta 0 or ±1 (±½ where spot equals strike), other Greeks 0.",
    "volatility 0: the discounted payoff of the forward and its derivatives, halved where forward equals strike; vega 0.",
    "Where the payoff has its kink gamma and theta are null.",
    "spot 0: a call is worth 0, a put strike · e^(−rate · time). strike 0: a call is worth the asset without its dividends, a put 0.",
    "A negative spot, strike or volatility, or a value outside the stated domains, is out_of_domain; NaN and infinity are non_finite.",
  ],
};

/** Every model the kernel knows, in order of id. */
export const models: readonly ModelDefinition[] = [blackScholesMerton];

/** The model of that name. */
export function modelNamed(name: ModelName): ModelDefinition {
  const model = models.find((each) => each.name === name);
  assert(model !== undefined, `no model is named ${name}`);
  return model;
}

/** What is computed where nothing is asked for: the price and the five first Greeks. */
export const defaultOutputs: readonly OutputName[] = ["price", "delta", "gamma", "vega", "theta", "rho"];

/**
 * The integer each status has in columns. Codes never change. 1 to 3 come with limit values; from 10 on every output is null.
 */
export const statusCodes = {
  ok: 0,
  expired: 1,
  zero_volatility: 2,
  zero_underlying: 3,
  below_intrinsic: 10,
  above_maximum: 11,
  not_converged: 12,
  non_finite: 20,
  out_of_domain: 21,
  unsupported_output: 22,
} as const;

/** A row's status as single answers spell it. */
export type StatusName = keyof typeof statusCodes;

const statusNames = new Map<number, StatusName>(
  (Object.keys(statusCodes) as StatusName[]).map((name) => [statusCodes[name], name]),
);

/** The name of a status code. Throws InvariantError for a number that is none. */
export function statusName(code: number): StatusName {
  const name = statusNames.get(code);
  assert(name !== undefined, `no status has the code ${code}`);
  return name;
}

/**
 * What a raw value is multiplied by to give it in the units: vega and rho per 0.01, theta per calendar day of a year of 365,
 * everything else as it is.
 */
export function unitFactor(output: OutputName, units: Units): number {
  switch (units) {
    case "raw":
      return 1;
    case "market":
      return marketFactor(output);
    default:
      return unreachable(units);
  }
}

function marketFactor(output: OutputName): number {
  switch (output) {
    case "price":
    case "delta":
    case "gamma":
      return 1;
    case "vega":
    case "rho":
      return 1 / 100;
    case "theta":
      return 1 / 365;
    default:
      return unreachable(output);
  }
}
