// The least value of a function of one variable, by golden sections. Separate because two fits and a check need it. Pure.

const golden = (Math.sqrt(5) - 1) / 2;

/** Where f is least between two values, after so many sections of 0.618 each; a local minimum where there are several. */
export function lowestBetween(f: (value: number) => number, from: number, to: number, sections: number): number {
  let [low, high] = [from, to];
  let inner = high - golden * (high - low);
  let outer = low + golden * (high - low);
  let [innerValue, outerValue] = [f(inner), f(outer)];
  for (let count = 0; count < sections; count++) {
    if (innerValue < outerValue) {
      [high, outer, outerValue] = [outer, inner, innerValue];
      inner = high - golden * (high - low);
      innerValue = f(inner);
    } else {
      [low, inner, innerValue] = [inner, outer, outerValue];
      outer = low + golden * (high - low);
      outerValue = f(outer);
    }
  }
  return (low + high) / 2;
}
