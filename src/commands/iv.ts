// `bsopt iv`: the volatility behind a price, for one option or a book of them. The twin of price.ts: the same flags and
// columns, with a price in the place of the volatility.

import { Command, Option } from "commander";
import { type InputName, models } from "../engine/catalog";
import type { PricingCommandDependencies } from "./arguments";
import { runBook } from "./book";
import { runSingle } from "./single";
import { addBookOptions, type BookFlags, type BookTask, modelInputs } from "./task";

interface ImpliedVolatilityFlags extends BookFlags {
  readonly onUnattainable: "null" | "zero";
}

/** Implied volatilities. Exit code 3 where some price has none. */
export function impliedVolatilityCommand(dependencies: PricingCommandDependencies): Command {
  const command = new Command("iv").description("find the volatility behind a price, for one option or a file of them");
  return addBookOptions(command, taskFor("null"))
    .addOption(
      new Option("--on-unattainable <what>", "what stands for the volatility of a price below intrinsic value")
        .choices(["null", "zero"])
        .default("null"),
    )
    .action((path: string | undefined, flags: ImpliedVolatilityFlags) => {
      const task = taskFor(flags.onUnattainable);
      return path === undefined ? runSingle(dependencies, task, flags) : runBook(dependencies, task, path, flags);
    });
}

function taskFor(onUnattainable: "null" | "zero"): BookTask {
  return {
    label: "iv",
    models: models.filter((model) => model.impliedVolatility),
    inputs: (model) => [
      ...modelInputs(model).filter(({ name }) => name !== "volatility"),
      { name: "price", title: "Price of the option", unit: "currency" },
    ],
    compute: async (engine, { model, count, isCall, inputs, lists }) => {
      const { price, ...market } = inputs;
      const { impliedVolatility, attainableError, status } = await engine.impliedVolatilityAsync({
        model,
        count,
        isCall,
        inputs: market as Partial<Record<Exclude<InputName, "volatility">, number | Float64Array>>,
        lists,
        price: price!,
        onUnattainable,
      });
      return {
        columns: [
          { name: "implied_volatility", kind: "number", values: impliedVolatility },
          { name: "attainable_error", kind: "number", values: attainableError },
        ],
        status,
      };
    },
    answer: ({ implied_volatility, attainable_error }) => ({ implied_volatility, attainable_error }),
  };
}
