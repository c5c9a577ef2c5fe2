// The catalog's inputs as fields of a body: one property an input, whichever models have it, alone or as a column. Separate from the feature
// whose bodies they make, so that those say what pricing hears and this says what a model's input looks like.

import { type TProperties, type TSchema, Type } from "@sinclair/typebox";
import { rowsCountMax as maxItems } from "../config/settings";
import { modelNumber, oneOf, timestamp } from "../foundation/wire";
import { type InputDefinition, type InputName, type ListDefinition, type ModelDefinition, shownInput } from "./catalog";
import { listForm } from "./list-items";

const closed = { additionalProperties: false } as const;

/** Of an input its schema, and of one that several models define in their own ways all that they say of it. */
type FieldOf = (definition: InputDefinition, description: string) => TSchema;

/** One property for each input of any of the models, required where every model requires it. */
export function inputProperties(
  of: readonly ModelDefinition[],
  without: readonly InputName[],
  field: FieldOf,
): TProperties {
  const names = [...new Set(of.flatMap((model) => model.inputs.map(({ name }) => name)))];
  return Object.fromEntries(
    names
      .filter((name) => !without.includes(name))
      .map((name) => {
        const having = of.filter((model) => model.inputs.some((input) => input.name === name));
        const own = having.map((model) => inputOf(model, name));
        const isRequired = having.length === of.length && own.every((input) => input.default === undefined);
        const schema = field(own[0]!, describe(having, own));
        return [name, isRequired ? schema : Type.Optional(schema)];
      }),
  );
}

function inputOf({ inputs }: ModelDefinition, name: InputName): InputDefinition {
  return inputs.find((input) => input.name === name)!;
}

/** What the first model says of its input, and behind it what others say whose default is another: there a reader would be misled. */
function describe(models: readonly ModelDefinition[], own: readonly InputDefinition[]): string {
  const first = own[0]!;
  const others = own.flatMap((input, index) => {
    if (input.default === undefined || input.default === first.default) return [];
    const isSame = input.title === first.title && input.domain === first.domain;
    return [` ${models[index]!.name}: ${isSame ? "" : sentenceOf(input)}${fallbackOf(input)}`];
  });
  return (sentenceOf(first) + fallbackOf(first)).trimEnd() + others.join("");
}

const sentenceOf = ({ title, unit, domain }: InputDefinition) => `${title}, in ${unit}. ${domain}. `;

/** What stands in for an input that is left out, or nothing. */
function fallbackOf(definition: InputDefinition): string {
  const byDefault = shownInput(definition, definition.default);
  return byDefault === undefined ? "" : `${byDefault} where it is left out.`;
}

/** An input of one option. */
export const valueField: FieldOf = (definition, description) => {
  const options = { description, examples: [shownInput(definition, definition.example)] };
  return definition.words ? oneOf(definition.words, options) : modelNumber(options);
};

/** One item for every row, or one a row. */
export const columnOf = <Item extends TSchema>(item: Item, description: string) =>
  Type.Union([item, Type.Array(item, { maxItems })], { description });

/** An input of a column. */
export const columnField: FieldOf = (definition, description) =>
  columnOf(definition.words ? oneOf(definition.words) : modelNumber(), description);

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
