// The catalog's inputs as fields of a body: one property an input, whichever models have it, alone or as a column. Separate from the feature
// whose bodies they make, so that those say what pricing hears and this says what a model's input looks like.

import { type TProperties, type TSchema, Type } from "@sinclair/typebox";
import { rowsCountMax as maxItems } from "../config/settings";
import { modelNumber, oneOf, timestamp } from "../foundation/wire";
import { type InputDefinition, type InputName, type ListDefinition, type ModelDefinition, shownInput } from "./catalog";
import { listForm } from "./list-items";

const closed = { additionalProperties: false } as const;

type FieldOf = (definition: InputDefinition) => TSchema;

/** One property for each input of any of the models, required where every model requires it. */
export function inputProperties(
  of: readonly ModelDefinition[],
  without: readonly InputName[],
  field: FieldOf,
): TProperties {
  const definitions = new Map<InputName, InputDefinition>();
  for (const definition of of.flatMap((model) => model.inputs)) {
    if (!without.includes(definition.name) && !definitions.has(definition.name)) {
      definitions.set(definition.name, definition);
    }
  }
  return Object.fromEntries(
    [...definitions.values()].map((definition) => {
      const isRequired = of.every((model) =>
        model.inputs.some((input) => input.name === definition.name && input.default === undefined),
      );
      const schema = field(definition);
      return [definition.name, isRequired ? schema : Type.Optional(schema)];
    }),
  );
}

function describe(definition: InputDefinition): string {
  const byDefault = shownInput(definition, definition.default);
  const fallback = byDefault === undefined ? "" : ` ${byDefault} where it is left out.`;
  return `${definition.title}, in ${definition.unit}. ${definition.domain}.${fallback}`;
}

/** An input of one option. */
export const valueField: FieldOf = (definition) => {
  const options = { description: describe(definition), examples: [shownInput(definition, definition.example)] };
  return definition.words ? oneOf(definition.words, options) : modelNumber(options);
};

/** One item for every row, or one a row. */
export const columnOf = <Item extends TSchema>(item: Item, description: string) =>
  Type.Union([item, Type.Array(item, { maxItems })], { description });

/** An input of a column. */
export const columnField: FieldOf = (definition) =>
  columnOf(definition.words ? oneOf(definition.words) : modelNumber(), describe(definition));

/** What an item of a list looks like in a body. */
export const listItem = {
  moments: Type.Union([modelNumber(), timestamp()]),
  dated_amounts: Type.Object(
    {
      time: Type.Optional(modelNumber({ description: "Years from now. Either this or date." })),
      date: Type.Optional(
        timestamp({ description: "RFC 3339 with an offset, counted as expiry is. Only beside expiry." }),
      ),
      amount: modelNumber(),
    },
    { ...closed, $id: "DatedAmount" },
  ),
} satisfies Record<ListDefinition["items"], TSchema>;

function describeList({ title, unit, domain, isRequired }: ListDefinition): string {
  return `${title}, in ${unit}. ${domain}.${isRequired ? "" : " None where it is left out."}`;
}

/** A list of one option. */
export const listField = (definition: ListDefinition) =>
  Type.Array(listItem[definition.items], {
    maxItems: definition.lengthMax,
    description: describeList(definition),
    examples: [definition.example],
  });

/** Lists of a column. */
export const listColumnField = (definition: ListDefinition) => {
  const list = Type.Array(listItem[definition.items], { maxItems: definition.lengthMax });
  const description = `${describeList(definition)} One list for every row, or one a row; in a table a text: ${listForm(definition.items)}.`;
  return Type.Union([list, Type.Array(list, { maxItems })], { description });
};

/** One property for each list of any of the models; a model's own rules say whether it must be there. */
export function listProperties(
  of: readonly ModelDefinition[],
  field: (definition: ListDefinition) => TSchema,
): TProperties {
  const definitions = new Map(of.flatMap(({ lists = [] }) => lists.map((list) => [list.name, list] as const)));
  return Object.fromEntries([...definitions].map(([name, definition]) => [name, Type.Optional(field(definition))]));
}
