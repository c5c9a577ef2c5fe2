// Options solved for over a grid of time and price. Separate because dividends, steps and limits are its own.

import {
  badLimit,
  expiredLimit,
  kinkLimit,
  type ListDefinition,
  lambdaLimit,
  type ModelDefinition,
  type OutputName,
  overflowLimit,
} from "./definition";
import { blackScholesMerton } from "./european";

/** Cash that the asset pays: it falls by the amount, or to nothing. */
export const discreteDividends: ListDefinition = {
  name: "discrete_dividends",
  title: "Cash dividends of the underlying and when it pays them",
  items: "dated_amounts",
  unit: "currency",
  lengthMax: 256,
  domain: "amounts of 0 and more; those paid up to now or after expiry do not count",
  example: [{ time: 0.25, amount: 1.2 }],
};

/** Outputs for which the grid is solved twice more each. */
const besides: readonly (readonly OutputName[])[] = [["vega", "vanna"], ["rho"], ["dividend_rho"]];

/** What a grid's solutions cost, in rows of Black–Scholes–Merton: a node a step costs about a fifth of one. */
export function gridWeight(spaceSteps: number, timeSteps: number, outputs: readonly OutputName[]): number {
  const solutions = 1 + 2 * besides.filter((names) => names.some((name) => outputs.includes(name))).length;
  return 0.2 * spaceSteps * timeSteps * solutions;
}

export const finiteDifference: ModelDefinition = {
  id: 11,
  name: "finite_difference",
  title: "Finite differences, European or American options on an asset with a dividend yield and cash dividends",
  source: "Crank and Nicolson (1947); Rannacher (1984); Ikonen and Toivanen (2004)",
  inputs: [
    ...blackScholesMerton.inputs,
    {
      name: "exercise",
      title: "When it may be exercised",
      unit: "a word",
      words: ["european", "american"],
      default: 0,
      domain: "european: at expiry, american: at any time",
      example: 1,
    },
    {
      name: "space_steps",
      title: "Steps of the grid in price",
      unit: "a whole number",
      default: 200,
      domain: "10 to 1000",
      example: 200,
    },
    {
      name: "time_steps",
      title: "Steps of the grid in time",
      unit: "a whole number",
      default: 200,
      domain: "10 to 1000",
      example: 200,
    },
  ],
  lists: [discreteDividends],
  outputs: ["price", "delta", "gamma", "vega", "theta", "rho", "dividend_rho", "vanna", "lambda"],
  impliedVolatility: false,
  limits: [
    expiredLimit,
    "volatility · √time below 1e-6 is zero_volatility: the option is exercised at the best moment of a sure future; gamma, vega and vanna 0.",
    kinkLimit,
    lambdaLimit,
    "theta is what passing time costs: dividends come nearer as expiry does.",
    "A dividend larger than the asset takes it to 0.",
    "spot 0: a call is worth 0, a put strike, or strike · e^(−rate · time) where that is more or exercise is european.",
    "volatility · √time above 20 is out_of_domain.",
    badLimit,
    overflowLimit,
  ],
  weight: ({ largest, outputs }) => gridWeight(largest("space_steps"), largest("time_steps"), outputs),
};
