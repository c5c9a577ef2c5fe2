// `bsopt price`: one option from flags, or a book of them from a file. What both commands share is task.ts, single.ts and
// book.ts; this file says what price asks of the engine.

import { Command, Option } from "commander";
import type { TableColumn } from "../adapters/tabular/table";
import {
  defaultOutputs,
  defaultOutputsOf,
  type InputName,
  modelNamed,
  models,
  type OutputName,
  type Units,
} from "../engine/catalog";
import { outputsArgument, type PricingCommandDependencies, unitsOption } from "./arguments";
import { runBook } from "./book";
import { runSingle } from "./single";
import { addBookOptions, type BookFlags, type BookTask, modelInputs } from "./task";

interface PriceFlags extends BookFlags {
  readonly outputs?: readonly OutputName[];
  readonly all?: true;
  readonly units: Units;
}

/** Prices and Greeks. Exit code 3 where something has no price. */
export function priceCommand(dependencies: PricingCommandDependencies): Command {
  const command = new Command("price").description("price one option from flags, or a file of options");
  return addBookOptions(command, taskFor(undefined))
    .addOption(unitsOption())
    .option(
      "--outputs <names>",
      `what to compute, separated by commas, else ${defaultOutputs.join(",")} as far as the model has them`,
      outputsArgument,
    )
    .addOption(new Option("--all", "compute every output the model has").conflicts("outputs"))
    .action((path: string | undefined, flags: PriceFlags) => {
      const task = taskFor(flags.all ? modelNamed(flags.model).outputs : flags.outputs);
      return path === undefined ? runSingle(dependencies, task, flags) : runBook(dependencies, task, path, flags);
    });
}

function taskFor(asked: readonly OutputName[] | undefined): BookTask {
  return {
    label: "price",
    models,
    inputs: modelInputs,
    compute: async (engine, { model, count, isCall, inputs, lists, units }) => {
      const outputs = asked ?? defaultOutputsOf([modelNamed(model)]);
      const request = { model, count, isCall, inputs: inputs as PriceInputs, lists, outputs, units };
      const { columns, status } = await engine.priceAsync(request);
      return {
        columns: outputs.map((name): TableColumn => ({ name, kind: "number", values: columns[name]! })),
        status,
      };
    },
    answer: ({ price, ...greeks }, { units }) => ({
      ...(price === undefined ? {} : { price }),
      greeks,
      units,
    }),
  };
}

type PriceInputs = Partial<Record<InputName, number | Float64Array>>;
