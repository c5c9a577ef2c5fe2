// The catalog of models: what can be priced, from which inputs, into which outputs, in which units. Schemas, documents,
// the command line and the tests derive from it, so a new model is one more entry here. Separate from the engine because
// it is plain data: it must never load the wasm nor compute a price.

import { assert, unreachable } from "../foundation/assert";

/** `raw` are the mathematical derivatives; `market` is raw times `unitFactor` (a vol point, a calendar day, a percent). */
export type Units = "market" | "raw";

/** Model names on the wire. */
export type ModelName =
  | "black_scholes_merton"
  | "black_76"
  | "garman_kohlhagen"
  | "bachelier"
  | "displaced_black"
  | "american";

/** Input names on the wire. */
export type InputName =
  | "spot"
  | "forward"
  | "strike"
  | "time_to_expiry"
  | "rate"
  | "dividend_yield"
  | "foreign_rate"
  | "volatility"
  | "displacement"
  | WordInput;

/** Inputs that are words on the wire; to the kernel a word is its place in the list. */
export type WordInput = "scheme";

/** Output names on the wire. */
export type OutputName =
  | "price"
  | "delta"
  | "gamma"
  | "vega"
  | "theta"
  | "rho"
  | "dividend_rho"
  | "vanna"
  | "volga"
  | "charm"
  | "veta"
  | "speed"
  | "zomma"
  | "color"
  | "ultima"
  | "dual_delta"
  | "dual_gamma"
  | "lambda"
  | "early_exercise_premium"
  | "exercise_boundary";

/** Outputs that a European model can offer. */
export type EuropeanOutput = Exclude<OutputName, "early_exercise_premium" | "exercise_boundary">;

/** One number, or word, that a model takes. */
export interface InputDefinition {
  readonly name: InputName;
  readonly title: string;
  readonly unit: string;
  /** The words it may be; default and example are places in this list. Absent: it is a number. */
  readonly words?: readonly string[];
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
  /** What a row costs, in rows of Black–Scholes–Merton, by the scheme's place; absent: as much as one. */
  readonly weights?: readonly number[];
}

/** What a model over a spot offers. */
const spotOutputs: readonly OutputName[] = [
  "price",
  "delta",
  "gamma",
  "vega",
  "theta",
  "rho",
  "dividend_rho",
  "vanna",
  "volga",
  "charm",
  "veta",
  "speed",
  "zomma",
  "color",
  "ultima",
  "dual_delta",
  "dual_gamma",
  "lambda",
];

/** A forward has no yield of its own. */
const forwardOutputs = spotOutputs.filter((output) => output !== "dividend_rho");

const priceDomain = "0 or 6.3e-61 to 1.6e60";
const discountDomain = "any with |rate · time| ≤ 256";

const spot: InputDefinition = {
  name: "spot",
  title: "Price of the underlying now",
  unit: "currency",
  domain: priceDomain,
  example: 100,
};

const forward: InputDefinition = {
  name: "forward",
  title: "Forward or futures price of the underlying for the expiry",
  unit: "currency",
  domain: priceDomain,
  example: 100,
};

const strike: InputDefinition = {
  name: "strike",
  title: "Price at which the option exercises",
  unit: "currency",
  domain: priceDomain,
  example: 105,
};

const timeToExpiry: InputDefinition = {
  name: "time_to_expiry",
  title: "Time to expiry",
  unit: "years",
  domain: "any; 0 and below is expired; otherwise 6.3e-61 to 1.6e60",
  example: 0.5,
};

const rate: InputDefinition = {
  name: "rate",
  title: "Interest rate, continuously compounded",
  unit: "per year",
  domain: discountDomain,
  example: 0.03,
};

const volatility: InputDefinition = {
  name: "volatility",
  title: "Volatility of the underlying's logarithm",
  unit: "per square root of a year",
  domain: priceDomain,
  example: 0.2,
};

const expiredLimit =
  "time_to_expiry ≤ 0 is expired: the payoff, delta and dual_delta 0 or ±1 (±½ where underlying equals strike), other Greeks 0.";
const zeroVolatilityLimit =
  "volatility 0: the discounted payoff of the forward and its derivatives, halved where forward equals strike; derivatives in volatility 0.";
const kinkLimit = "Where the payoff has its kink gamma, dual_gamma, speed and theta are null.";
const lambdaLimit = "lambda is null where the price is 0.";
const badLimit =
  "A negative underlying, strike or volatility, or a value outside the stated domains, is out_of_domain; NaN and infinity are non_finite.";
const overflowLimit = "An output too large for a double makes the row out_of_domain.";

const blackScholesMerton: ModelDefinition = {
  id: 0,
  name: "black_scholes_merton",
  title: "Black–Scholes–Merton, European options on an asset with a continuous dividend yield",
  source: "Black and Scholes (1973); Merton (1973)",
  inputs: [
    spot,
    strike,
    timeToExpiry,
    { ...rate, domain: "any with |rate · time| + |dividend_yield · time| ≤ 256" },
    {
      name: "dividend_yield",
      title: "Dividend yield, continuously compounded",
      unit: "per year",
      default: 0,
      domain: "any with |rate · time| + |dividend_yield · time| ≤ 256",
      example: 0.01,
    },
    volatility,
  ],
  outputs: spotOutputs,
  impliedVolatility: true,
  limits: [
    expiredLimit,
    zeroVolatilityLimit,
    kinkLimit,
    lambdaLimit,
    "spot 0: a call is worth 0, a put strike · e^(−rate · time). strike 0: a call is worth the asset without its dividends, a put 0.",
    badLimit,
    overflowLimit,
  ],
};

const black76: ModelDefinition = {
  id: 1,
  name: "black_76",
  title: "Black 76, European options on a forward or futures price",
  source: "Black (1976), The Pricing of Commodity Contracts",
  inputs: [forward, strike, timeToExpiry, rate, volatility],
  outputs: forwardOutputs,
  impliedVolatility: true,
  limits: [
    expiredLimit,
    zeroVolatilityLimit,
    kinkLimit,
    lambdaLimit,
    "forward 0: a call is worth 0, a put strike · e^(−rate · time). strike 0: a call is worth the discounted forward, a put 0.",
    badLimit,
    overflowLimit,
  ],
};

const garmanKohlhagen: ModelDefinition = {
  id: 2,
  name: "garman_kohlhagen",
  title: "Garman–Kohlhagen, European options on a currency",
  source: "Garman and Kohlhagen (1983), Foreign Currency Option Values",
  inputs: [
    { ...spot, unit: "domestic currency", example: 1.085 },
    { ...strike, unit: "domestic currency", example: 1.1 },
    timeToExpiry,
    {
      ...rate,
      domain: "any with |rate · time| + |foreign_rate · time| ≤ 256",
    },
    {
      name: "foreign_rate",
      title: "Foreign interest rate, continuously compounded",
      unit: "per year",
      domain: "any with |rate · time| + |foreign_rate · time| ≤ 256",
      example: 0.02,
    },
    { ...volatility, example: 0.08 },
  ],
  outputs: spotOutputs,
  impliedVolatility: true,
  limits: [
    expiredLimit,
    zeroVolatilityLimit,
    kinkLimit,
    lambdaLimit,
    "spot 0: a call is worth 0, a put strike · e^(−rate · time). strike 0: a call is worth the foreign unit discounted, a put 0.",
    badLimit,
    overflowLimit,
  ],
};

const anySign = "any of magnitude below 1.6e60, negative and 0 included";

const bachelier: ModelDefinition = {
  id: 3,
  name: "bachelier",
  title: "Bachelier (normal model), European options on a forward of any sign",
  source: "Bachelier (1900), Théorie de la spéculation; implied volatility after Jäckel (2017)",
  inputs: [
    { ...forward, domain: anySign, example: 0.021 },
    { ...strike, domain: anySign, example: 0.025 },
    timeToExpiry,
    rate,
    {
      ...volatility,
      title: "Volatility of the forward's own changes",
      unit: "currency per square root of a year",
      example: 0.008,
    },
  ],
  outputs: forwardOutputs,
  impliedVolatility: true,
  limits: [
    "time_to_expiry ≤ 0 is expired: the payoff, delta and dual_delta 0 or ±1 (±½ where forward equals strike), other Greeks 0.",
    "volatility 0: the discounted payoff and its derivatives, delta and dual_delta halved where forward equals strike; derivatives in volatility 0.",
    kinkLimit,
    lambdaLimit,
    "forward and strike may be 0 or negative: neither is a special case.",
    "A negative volatility, or a value outside the stated domains, is out_of_domain; NaN and infinity are non_finite.",
    overflowLimit,
  ],
};

const displacedBlack: ModelDefinition = {
  id: 4,
  name: "displaced_black",
  title: "Displaced Black, European options on a forward that may be negative",
  source: "Rubinstein (1983), Displaced Diffusion Option Pricing; Black (1976)",
  inputs: [
    { ...forward, domain: "any with forward + displacement 0 or 6.3e-61 to 1.6e60", example: 0.021 },
    { ...strike, domain: "any with strike + displacement 0 or 6.3e-61 to 1.6e60", example: 0.025 },
    timeToExpiry,
    rate,
    volatility,
    {
      name: "displacement",
      title: "What is added to forward and strike before their logarithms are taken",
      unit: "currency",
      domain: "any with forward + displacement and strike + displacement 0 or 6.3e-61 to 1.6e60",
      example: 0.03,
    },
  ],
  outputs: forwardOutputs,
  impliedVolatility: true,
  limits: [
    expiredLimit,
    zeroVolatilityLimit,
    kinkLimit,
    lambdaLimit,
    "forward + displacement 0 is zero_underlying: a call is worth 0, a put (strike + displacement) · e^(−rate · time). strike + displacement 0: a call is worth the discounted forward + displacement, a put 0.",
    "A negative forward + displacement, strike + displacement or volatility, or a value outside the stated domains, is out_of_domain; NaN and infinity are non_finite.",
    overflowLimit,
  ],
};

const american: ModelDefinition = {
  id: 5,
  name: "american",
  title: "American options on an asset with a continuous dividend yield, exercised at any time",
  source:
    "Kim (1990); Andersen, Lake and Offengenden (2016), High-performance American option pricing; Andersen and Lake (2021) for rates below 0",
  inputs: [
    ...blackScholesMerton.inputs,
    {
      name: "scheme",
      title: "How finely the exercise boundary is solved for",
      unit: "a word",
      words: ["fast", "accurate", "reference"],
      default: 1,
      domain: "fast, accurate or reference",
      example: 1,
    },
  ],
  outputs: [
    ...spotOutputs.filter((output) => output !== "color" && output !== "ultima"),
    "early_exercise_premium",
    "exercise_boundary",
  ],
  impliedVolatility: true,
  limits: [
    expiredLimit,
    "volatility 0: the holder exercises at the best moment of a sure future, now, at expiry or in between; derivatives in volatility 0.",
    kinkLimit,
    lambdaLimit,
    "Where exercising at once is best, price and delta are the payoff's and every other Greek is 0; on the boundary itself too.",
    "exercise_boundary is null where there is none now: where exercising early never pays, at the limits, and with rates below 0 once both boundaries have met. Where there are two it is the one nearer the strike.",
    "spot 0: a call is worth 0, a put strike, or strike · e^(−rate · time) where that is more. strike 0: a call is worth the asset, or what it is without its dividends where that is more; a put 0.",
    "volatility · √time above 64 is out_of_domain.",
    badLimit,
    overflowLimit,
  ],
  weights: [128, 512, 4096],
};

/** Every model the kernel knows, in order of id. */
export const models: readonly ModelDefinition[] = [
  blackScholesMerton,
  black76,
  garmanKohlhagen,
  bachelier,
  displacedBlack,
  american,
];

/** An input's value as the wire shows it: a word where it is one. */
export function shownInput(definition: InputDefinition, value: number): number | string;
export function shownInput(definition: InputDefinition, value: number | undefined): number | string | undefined;
export function shownInput({ words }: InputDefinition, value: number | undefined): number | string | undefined {
  return value === undefined ? undefined : (words?.[value] ?? value);
}

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
 * What a raw value is multiplied by to give it in the units: per 0.01 of volatility, rate and yield, once for each time the
 * output is a derivative in one of them; per calendar day of a year of 365 where it is one in time; everything else as it is.
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
    case "speed":
    case "dual_delta":
    case "dual_gamma":
    case "lambda":
    case "early_exercise_premium":
    case "exercise_boundary":
      return 1;
    case "vega":
    case "rho":
    case "dividend_rho":
    case "vanna":
    case "zomma":
      return 1 / 100;
    case "volga":
      return 1 / 1e4;
    case "ultima":
      return 1 / 1e6;
    case "theta":
    case "charm":
    case "color":
      return 1 / 365;
    case "veta":
      return 1 / 36_500;
    default:
      return unreachable(output);
  }
}
