// Walks columns of prices back to volatilities, a status per row. Not there yet: every row answers that it is unsupported.
import { countOffset, nullBits, outputAddress, outputAttainableError, outputImpliedVolatility, statusOffset } from "../abi/layout";
import { statusUnsupportedOutput } from "../abi/status";

export function impliedVolatilityBatch(request: usize): i32 {
  const count = load<i32>(request, countOffset);
  for (let row = 0; row < count; row++) {
    store<u64>(outputAddress(request, outputImpliedVolatility) + (row << 3), nullBits);
    store<u64>(outputAddress(request, outputAttainableError) + (row << 3), nullBits);
    store<i32>(<usize>load<u32>(request, statusOffset) + (row << 2), statusUnsupportedOutput);
  }
  return count;
}
