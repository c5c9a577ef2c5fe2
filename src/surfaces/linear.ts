// Small symmetric systems, as the fits need them: damped normal equations by Cholesky's factorisation. Separate because it is
// no finance. Pure.
//
// Source: Golub & Van Loan, "Matrix Computations", 4th edition, algorithm 4.2.2; the damping is Marquardt's (1963).

/**
 * The solution x of (N + damping·diag N)·x = g for the leading `size` unknowns, N given by its lower triangle in rows of
 * `stride`. A direction that N says nothing about, or only rounding, stays 0.
 */
export function solveSymmetric(
  normal: Float64Array,
  gradient: Float64Array,
  size: number,
  stride: number,
  damping: number,
): Float64Array {
  const factor = new Float64Array(size * size);
  const x = new Float64Array(size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = normal[row * stride + column]!;
      if (row === column) sum *= 1 + damping;
      for (let index = 0; index < column; index++) sum -= factor[row * size + index]! * factor[column * size + index]!;
      const pivot = factor[column * size + column]!;
      if (row === column) {
        const own = normal[row * stride + row]!;
        factor[row * size + row] = sum > 1e-14 * own ? Math.sqrt(sum) : 0;
      } else factor[row * size + column] = pivot > 0 ? sum / pivot : 0;
    }
  }
  for (let row = 0; row < size; row++) {
    let sum = gradient[row]!;
    for (let index = 0; index < row; index++) sum -= factor[row * size + index]! * x[index]!;
    const pivot = factor[row * size + row]!;
    x[row] = pivot > 0 ? sum / pivot : 0;
  }
  for (let row = size - 1; row >= 0; row--) {
    let sum = x[row]!;
    for (let index = row + 1; index < size; index++) sum -= factor[index * size + row]! * x[index]!;
    const pivot = factor[row * size + row]!;
    x[row] = pivot > 0 ? sum / pivot : 0;
  }
  return x;
}
