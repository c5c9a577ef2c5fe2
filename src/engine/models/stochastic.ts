// Options on an asset whose variance is itself chance, or that jumps. Separate because what variance and jumps are like are inputs of their own.

import {
  expiredLimit,
  type InputDefinition,
  lambdaLimit,
  type ModelDefinition,
  overflowLimit,
  spotOutputs,
} from "./definition";
import { black76, blackScholesMerton } from "./european";

const withoutVolatility = blackScholesMerton.inputs.filter(({ name }) => name !== "volatility");

/** Where no volatility is an input, vega is the derivative in √v0 and there is nothing mixed of it. */
const unvolatileOutputs = spotOutputs.filter(
  (output) => !["vanna", "volga", "veta", "zomma", "ultima"].includes(output),
);

const correlation: InputDefinition = {
  name: "correlation",
  title: "Correlation of the underlying's moves and its volatility's",
  unit: "1",
  domain: "−1 to 1",
  example: -0.7,
};

export const heston: ModelDefinition = {
  id: 16,
  name: "heston",
  title: "Heston's stochastic volatility, European options on an asset whose variance reverts to a mean",
  source:
    "Heston (1993), A closed-form solution for options with stochastic volatility; integrals after Lewis (2000), Andersen and Piterbarg (2010), Andersen and Lake (2018)",
  inputs: [
    ...withoutVolatility,
    {
      name: "v0",
      title: "Variance of the underlying's logarithm now",
      unit: "per year",
      domain: "0 or 6.3e-61 to 1.6e60",
      example: 0.04,
    },
    {
      name: "kappa",
      title: "Speed at which variance reverts to its long mean",
      unit: "per year",
      domain: "0 or 6.3e-61 to 1.6e60",
      example: 1.5,
    },
    {
      name: "long_variance",
      title: "Long mean of variance",
      unit: "per year",
      domain: "0 or 6.3e-61 to 1.6e60",
      example: 0.05,
    },
    {
      name: "vol_of_vol",
      title: "Volatility of variance: its deviation per √year is vol_of_vol · √variance",
      unit: "per year",
      domain: "0 or 6.3e-61 to 1.6e60",
      example: 0.6,
    },
    correlation,
  ],
  outputs: unvolatileOutputs,
  impliedVolatility: false,
  limits: [
    expiredLimit,
    "v0 0 with kappa · long_variance 0 is zero_volatility: the discounted payoff of the forward and its derivatives, halved where forward equals strike, where gamma, dual_gamma, speed and theta are null.",
    "vol_of_vol 0: Black–Scholes–Merton's price at the variance that reverts without chance.",
    "vega is the derivative in √v0, all other inputs held.",
    lambdaLimit,
    "spot 0: a call is worth 0, a put strike · e^(−rate · time). strike 0: a call is worth the asset without its dividends, a put 0.",
    "Where no integral settles the row is not_converged.",
    "A negative underlying, strike, v0, kappa, long_variance or vol_of_vol, or a value outside the stated domains, is out_of_domain, as is a total variance above 4096; NaN and infinity are non_finite.",
    overflowLimit,
  ],
  weight: () => 256,
};

export const mertonJump: ModelDefinition = {
  id: 17,
  name: "merton_jump",
  title: "Merton's jump diffusion, European options on an asset that also jumps by a lognormal factor",
  source: "Merton (1976), Option pricing when underlying stock returns are discontinuous, equation 19",
  inputs: [
    ...blackScholesMerton.inputs,
    {
      name: "jump_intensity",
      title: "Jumps expected in a year",
      unit: "per year",
      domain: "0 or more, jump_intensity · time · max(1, e^(jump_mean + jump_volatility²/2)) ≤ 512",
      example: 1,
    },
    {
      name: "jump_mean",
      title: "Mean of a jump's logarithm",
      unit: "1",
      domain: "any with |jump_mean + jump_volatility²/2| ≤ 64",
      example: -0.05,
    },
    {
      name: "jump_volatility",
      title: "Deviation of a jump's logarithm",
      unit: "1",
      domain: "0 or more, as jump_mean",
      example: 0.1,
    },
  ],
  outputs: spotOutputs,
  impliedVolatility: true,
  limits: [
    expiredLimit,
    "volatility 0 is zero_volatility: what jumps alone are worth, derivatives in volatility 0; where the payoff's kink lies at a number of jumps without variance, what its curvature is part of is null.",
    lambdaLimit,
    "spot 0: a call is worth 0, a put strike · e^(−rate · time). strike 0: a call is worth the asset without its dividends, a put 0.",
    "The implied volatility is the diffusion's, the jumps being given: a price that jumps alone exceed is below_intrinsic.",
    "volatility · √time above 64 is out_of_domain.",
    "A negative underlying, strike, volatility, jump_intensity or jump_volatility, or a value outside the stated domains, is out_of_domain; NaN and infinity are non_finite.",
    overflowLimit,
  ],
  weight: () => 128,
};

export const sabr: ModelDefinition = {
  id: 18,
  name: "sabr",
  title: "SABR, European options on a forward by Hagan's volatility",
  source: "Hagan, Kumar, Lesniewski and Woodward (2002), Managing Smile Risk, equation 2.17",
  inputs: [
    ...black76.inputs.filter(({ name }) => name !== "volatility"),
    {
      name: "initial_volatility",
      title: "Volatility of the forward now (alpha): its deviation per √year is initial_volatility · forward^beta",
      unit: "currency^(1 − beta) per square root of a year",
      domain: "0 or 6.3e-61 to 1.6e60",
      example: 0.25,
    },
    {
      name: "beta",
      title: "How the forward's own moves grow with it",
      unit: "1",
      default: 1,
      domain: "0 to 1",
      example: 1,
    },
    {
      name: "vol_of_vol",
      title: "Volatility of the volatility's logarithm (nu)",
      unit: "per square root of a year",
      domain: "0 or 6.3e-61 to 1.6e60",
      example: 0.6,
    },
    correlation,
  ],
  outputs: [
    "price",
    "delta",
    "gamma",
    "vega",
    "theta",
    "rho",
    "charm",
    "dual_delta",
    "dual_gamma",
    "lambda",
    "black_volatility",
  ],
  impliedVolatility: false,
  limits: [
    expiredLimit,
    "initial_volatility 0 is zero_volatility: the discounted payoff and its derivatives, halved where forward equals strike, where gamma, dual_gamma and theta are null.",
    "black_volatility is Hagan's volatility, at which Black 76 has the price; null where the row is a limit.",
    "Greeks count the volatility's own moves: delta is the smile's at a fixed initial_volatility, vega is the derivative in initial_volatility.",
    "The formula is an expansion: far from the money and late its prices can imply negative densities (dual_gamma below 0).",
    lambdaLimit,
    "forward 0: a call is worth 0, a put strike · e^(−rate · time). strike 0: a call is worth the discounted forward, a put 0.",
    "A negative forward, strike, initial_volatility or vol_of_vol, a value outside the stated domains, or a time at which the formula gives no positive volatility or one above 64/√time, is out_of_domain; NaN and infinity are non_finite.",
    overflowLimit,
  ],
  weight: () => 8,
};
