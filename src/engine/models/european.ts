// European options: Black–Scholes–Merton, its relatives under other names of inputs, and the normal model. Separate because
// they share one kernel each and almost all their limits.

import {
  badLimit,
  expiredLimit,
  forward,
  forwardOutputs,
  kinkLimit,
  lambdaLimit,
  type ModelDefinition,
  overflowLimit,
  rate,
  spot,
  spotOutputs,
  strike,
  timeToExpiry,
  volatility,
  zeroVolatilityLimit,
} from "./definition";

export const blackScholesMerton: ModelDefinition = {
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

export const black76: ModelDefinition = {
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

export const garmanKohlhagen: ModelDefinition = {
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

export const bachelier: ModelDefinition = {
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

export const displacedBlack: ModelDefinition = {
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
