// Inputs that are words on the wire and places in a list to the kernel. Separate from the catalog, which says which words there are,
// and from those who read bodies, so that one rule turns the one into the other.

/** A number, or one of an input's words, as a body has it. */
export type Written = number | string;

type Numbers = number | number[] | Float64Array;

/** Words as their places in the list; without a list numbers, as they are. That a word is one of them has been checked. */
export function placed(value: Written | Written[] | Float64Array, words?: readonly string[]): Numbers {
  if (words === undefined || value instanceof Float64Array) return value as Numbers;
  return Array.isArray(value) ? value.map((word) => words.indexOf(String(word))) : words.indexOf(String(value));
}
