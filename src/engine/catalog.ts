// The catalog of models: what can be priced, from which inputs, into which outputs, in which units. Schemas, documents,
// the command line and the tests derive from it, so a new model is one more entry here. Separate from the engine because
// it is plain data: it must never load the wasm nor compute a price.

import { assert, unreachable } from "../foundation/assert";
import { american } from "./models/american";
import { baroneAdesiWhaley, bjerksundStensland1993, bjerksundStensland2002, juZhong } from "./models/approximations";
import { binomial } from "./models/binomial";
import type { InputDefinition, ModelDefinition, ModelName, OutputName } from "./models/definition";
import { bachelier, black76, blackScholesMerton, displacedBlack, garmanKohlhagen } from "./models/european";
import { asian, barrier, digital, lookback } from "./models/exotic";
import { finiteDifference } from "./models/finite-difference";
import { monteCarlo } from "./models/simulation";
import { heston, mertonJump, sabr } from "./models/stochastic";

export type {
  EuropeanOutput,
  InputDefinition,
  InputName,
  ListDefinition,
  ListName,
  ModelDefinition,
  ModelName,
  OutputName,
  WordInput,
  WrittenItem,
} from "./models/definition";

/** `raw` are the mathematical derivatives; `market` is raw times `unitFactor` (a vol point, a calendar day, a percent). */
export type Units = "market" | "raw";

/** Every model the kernel knows, in order of id. */
export const models: readonly ModelDefinition[] = [
  blackScholesMerton,
  black76,
  garmanKohlhagen,
  bachelier,
  displacedBlack,
  american,
  baroneAdesiWhaley,
  bjerksundStensland1993,
  bjerksundStensland2002,
  juZhong,
  binomial,
  finiteDifference,
  digital,
  barrier,
  lookback,
  asian,
  heston,
  mertonJump,
  sabr,
  monteCarlo,
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

/** What is computed where nothing is asked for, of what a model offers: the price and the five first Greeks. */
export const defaultOutputs: readonly OutputName[] = ["price", "delta", "gamma", "vega", "theta", "rho"];

const isOffered = ({ outputs }: ModelDefinition, output: OutputName) => outputs.includes(output);
const modelsWithoutSome = new Set(models.filter((model) => !defaultOutputs.every((each) => isOffered(model, each))));

/** Those that each of the models offers; all of them where there is no model. */
export function defaultOutputsOf(asked: readonly ModelDefinition[]): readonly OutputName[] {
  const lacking = asked.filter((model) => modelsWithoutSome.has(model));
  if (lacking.length === 0) return defaultOutputs;
  return defaultOutputs.filter((output) => lacking.every((model) => isOffered(model, output)));
}

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
    case "black_volatility":
    case "standard_error":
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
