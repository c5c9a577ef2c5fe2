// What an entry of the catalog says, and the inputs, outputs and limits that several models share. Separate from the catalog so that
// each family of models has a file of its own. Plain data, but for what a row weighs: nothing here computes a price.

/** Model names on the wire. */
export type ModelName =
  | "black_scholes_merton"
  | "black_76"
  | "garman_kohlhagen"
  | "bachelier"
  | "displaced_black"
  | "american"
  | "barone_adesi_whaley"
  | "bjerksund_stensland_1993"
  | "bjerksund_stensland_2002"
  | "ju_zhong"
  | "binomial"
  | "finite_difference"
  | "digital"
  | "barrier"
  | "lookback"
  | "asian"
  | "heston"
  | "merton_jump"
  | "sabr"
  | "monte_carlo";

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
  | "cash"
  | "gap_strike"
  | "barrier"
  | "upper_barrier"
  | "rebate"
  | "window_start"
  | "window_end"
  | "monitoring_interval"
  | "extreme_so_far"
  | "averaging_start"
  | "average_so_far"
  | "jump_intensity"
  | "jump_mean"
  | "jump_volatility"
  | "v0"
  | "kappa"
  | "long_variance"
  | "vol_of_vol"
  | "correlation"
  | "initial_volatility"
  | "beta"
  | "steps"
  | "paths"
  | "seed"
  | "space_steps"
  | "time_steps"
  | WordInput;

/** Inputs that are words on the wire; to the kernel a word is its place in the list. */
export type WordInput =
  | "scheme"
  | "tree"
  | "exercise"
  | "smoothing"
  | "extrapolation"
  | "payoff"
  | "barrier_type"
  | "strike_type"
  | "average"
  | "method"
  | "sampling"
  | "variance_reduction";

/** Inputs that are lists on the wire. */
export type ListName = "discrete_dividends" | "fixings";

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
  | "exercise_boundary"
  | "black_volatility"
  | "standard_error";

/** Outputs that a European model can offer. */
export type EuropeanOutput = Exclude<
  OutputName,
  "early_exercise_premium" | "exercise_boundary" | "black_volatility" | "standard_error"
>;

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

/** An item of a list as it is written: years or a moment, or an amount at either. */
export type WrittenItem = number | string | { readonly time?: number; readonly date?: string; readonly amount: number };

/** One list that a model takes, for each option its own. */
export interface ListDefinition {
  readonly name: ListName;
  readonly title: string;
  /** What each item is: a moment, or an amount and its moment. To the kernel years, or years and amount in turns, soonest first. */
  readonly items: "moments" | "dated_amounts";
  readonly unit: string;
  /** Items at most; the kernel's room for a chunk's lists bounds it (place.ts). */
  readonly lengthMax: number;
  /** Absent or false: it may be left out and is empty then. */
  readonly isRequired?: boolean;
  /** Which values are priced, in words. */
  readonly domain: string;
  readonly example: readonly WrittenItem[];
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
  /** Inputs of many numbers each; absent: none. */
  readonly lists?: readonly ListDefinition[];
  readonly outputs: readonly OutputName[];
  /** True where a price can be turned back into a volatility. */
  readonly impliedVolatility: boolean;
  /** What happens at the edges, one sentence each. */
  readonly limits: readonly string[];
  /** What a row costs at most, in rows of Black–Scholes–Merton, by what is asked; absent: as much as one. */
  readonly weight?: (asked: Asked) => number;
}

/** What a batch asks for, as far as its cost goes. */
export interface Asked {
  /** The largest of an input's values, 0 at least where they are many; its default where it is left out. */
  largest(name: InputName): number;
  /** Whether a list is given that is not empty in every row. */
  isListed(name: ListName): boolean;
  readonly outputs: readonly OutputName[];
}

/** What a model over a spot offers. */
export const spotOutputs: readonly OutputName[] = [
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
export const forwardOutputs = spotOutputs.filter((output) => output !== "dividend_rho");

export const priceDomain = "0 or 6.3e-61 to 1.6e60";
export const discountDomain = "any with |rate · time| ≤ 256";

export const spot: InputDefinition = {
  name: "spot",
  title: "Price of the underlying now",
  unit: "currency",
  domain: priceDomain,
  example: 100,
};

export const forward: InputDefinition = {
  name: "forward",
  title: "Forward or futures price of the underlying for the expiry",
  unit: "currency",
  domain: priceDomain,
  example: 100,
};

export const strike: InputDefinition = {
  name: "strike",
  title: "Price at which the option exercises",
  unit: "currency",
  domain: priceDomain,
  example: 105,
};

export const timeToExpiry: InputDefinition = {
  name: "time_to_expiry",
  title: "Time to expiry",
  unit: "years",
  domain: "any; 0 and below is expired; otherwise 6.3e-61 to 1.6e60",
  example: 0.5,
};

export const rate: InputDefinition = {
  name: "rate",
  title: "Interest rate, continuously compounded",
  unit: "per year",
  domain: discountDomain,
  example: 0.03,
};

export const volatility: InputDefinition = {
  name: "volatility",
  title: "Volatility of the underlying's logarithm",
  unit: "per square root of a year",
  domain: priceDomain,
  example: 0.2,
};

export const expiredLimit =
  "time_to_expiry ≤ 0 is expired: the payoff, delta and dual_delta 0 or ±1 (±½ where underlying equals strike), other Greeks 0.";
export const zeroVolatilityLimit =
  "volatility 0: the discounted payoff of the forward and its derivatives, halved where forward equals strike; derivatives in volatility 0.";
export const kinkLimit = "Where the payoff has its kink gamma, dual_gamma, speed and theta are null.";
export const lambdaLimit = "lambda is null where the price is 0.";
export const badLimit =
  "A negative underlying, strike or volatility, or a value outside the stated domains, is out_of_domain; NaN and infinity are non_finite.";
export const overflowLimit = "An output too large for a double makes the row out_of_domain.";
