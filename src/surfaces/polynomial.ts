// Where a polynomial is negative for positive arguments, with no root missed. Separate because both arbitrage checks reduce to
// this one question. Pure.
//
// Method: t = s/(1 − s) carries (0, ∞) to (0, 1), where (1 − s)^n p(s/(1 − s)) has the Bernstein coefficients p_i / C(n, i).
//   On a piece whose coefficients have one sign the polynomial has that sign; where signs change, the piece is halved by
//   de Casteljau's scheme. By variation diminishing no root is missed: Lane & Riesenfeld, "Bounds on a polynomial", BIT 21
//   (1981).
// Error: what dips below zero by less than 2⁻⁴⁴ of the magnitudes that went into the coefficients isn't seen: it can't be told
//   from their rounding.
// Checked: tests/unit/surfaces/polynomial (known roots, near and double ones).

import { assert } from "../foundation/assert";

/** An open interval of positive arguments; `high` may be ∞. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Pieces narrower than this in s are taken for a single point. */
const widthMin = 2 ** -46;
const roundingShare = 2 ** -44;

/**
 * The intervals of (0, ∞) where p_0 + p_1·t + … + p_n·tⁿ is negative, in order; ends in [1e-5, 1e5] to 1e-8. `magnitudes` are
 * what the coefficients would be were nothing ever subtracted: they say what is rounding.
 */
export function negativeIntervals(coefficients: readonly number[], magnitudes: readonly number[]): Interval[] {
  assert(coefficients.every(Number.isFinite), `coefficients ${coefficients.join(", ")} are not all numbers`);
  const degree = coefficients.length - 1;
  assert(degree >= 1, `a polynomial of degree ${degree} has no variable`);
  const pieces: Interval[] = [];
  collect(bernsteinOf(coefficients), bernsteinOf(magnitudes), 0, 1, pieces);
  const toArgument = (s: number) => (s === 1 ? Number.POSITIVE_INFINITY : s / (1 - s));
  return pieces.map(({ low, high }) => ({ low: toArgument(low), high: toArgument(high) }));
}

function bernsteinOf(coefficients: readonly number[]): number[] {
  let binomial = 1;
  return coefficients.map((coefficient, index) => {
    if (index > 0) binomial = (binomial * (coefficients.length - index)) / index;
    return coefficient / binomial;
  });
}

/** Adds the parts of [low, high] where the polynomial is negative, joined to the last piece where they touch it. */
function collect(
  coefficients: readonly number[],
  magnitudes: readonly number[],
  low: number,
  high: number,
  pieces: Interval[],
): void {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const coefficient of coefficients) {
    least = Math.min(least, coefficient);
    most = Math.max(most, coefficient);
  }
  const rounding = roundingShare * Math.max(...magnitudes);
  if (least >= -rounding) return;
  if (most <= 0) {
    const last = pieces.at(-1);
    if (last !== undefined && last.high === low) pieces[pieces.length - 1] = { low: last.low, high };
    else pieces.push({ low, high });
    return;
  }
  if (high - low < widthMin) return;
  const [left, right] = halves(coefficients);
  const [leftMagnitudes, rightMagnitudes] = halves(magnitudes);
  const middle = (low + high) / 2;
  collect(left, leftMagnitudes, low, middle, pieces);
  collect(right, rightMagnitudes, middle, high, pieces);
}

/** De Casteljau at the middle: the same polynomial on the two halves. */
function halves(coefficients: readonly number[]): [left: number[], right: number[]] {
  const row = [...coefficients];
  const left = [row[0]!];
  const right = [row.at(-1)!];
  for (let length = row.length - 1; length > 0; length--) {
    for (let index = 0; index < length; index++) row[index] = (row[index]! + row[index + 1]!) / 2;
    left.push(row[0]!);
    right.push(row[length - 1]!);
  }
  return [left, right.reverse()];
}

/** The product of two polynomials, lowest power first. */
export function product(left: readonly number[], right: readonly number[]): number[] {
  const result = new Array<number>(left.length + right.length - 1).fill(0);
  left.forEach((a, i) => {
    right.forEach((b, j) => {
      result[i + j]! += a * b;
    });
  });
  return result;
}

/** The sum of polynomials, each times its factor. */
export function combination(...terms: readonly (readonly [factor: number, polynomial: readonly number[]])[]): number[] {
  const length = Math.max(...terms.map(([, polynomial]) => polynomial.length));
  return Array.from({ length }, (_, index) =>
    terms.reduce((sum, [factor, polynomial]) => sum + factor * (polynomial[index] ?? 0), 0),
  );
}
