// Walking columns: where a tile's inputs lie, whether a column is one number for every row, and how a row is made null.
// Separate because every batch walks alike. A broadcast value is written across one tile of scratch once a call; the loops then
// read every column the same way, with a step of a tile or of nothing.
import {
  broadcastColumn,
  broadcastIsCall,
  broadcastMaskOffset,
  countOffset,
  factorsOffset,
  flagIsCallBroadcast,
  flagsOffset,
  inputAddress,
  isBroadcast,
  isCallOffset,
  nullBits,
  outputAddress,
  tileRows,
} from "../abi/layout";

/** Bytes of a tile's column that a batch of that many rows can touch: whole pairs, at most a tile. */
// @ts-ignore: decorator
@inline
export function evenTileBytes(count: usize): usize {
  return min<usize>((count + 1) & ~1, tileRows) << 3;
}

/** True where every input of the mask (a bit per input id) is one number for all rows. */
// @ts-ignore: decorator
@inline
export function areAllBroadcast(request: usize, mask: u32): bool {
  return (load<u32>(request, broadcastMaskOffset) & mask) == mask;
}

/** Repeats the broadcast values among the first `inputs` columns, and the option type, across the scratch's tile. */
export function spreadBroadcasts(request: usize, scratch: usize, inputs: usize): void {
  const bytes = evenTileBytes(<usize>load<i32>(request, countOffset));
  for (let input: usize = 0; input < inputs; input++) {
    if (!isBroadcast(request, input)) continue;
    const value = v128.load64_splat(inputAddress(request, input));
    const column = broadcastColumn(scratch, input);
    for (let at: usize = 0; at < bytes; at += 16) v128.store(column + at, value);
  }
  if (load<u32>(request, flagsOffset) & flagIsCallBroadcast) {
    memory.fill(broadcastIsCall(scratch), load<u8>(<usize>load<u32>(request, isCallOffset)), tileRows);
  }
}

/** The address of an input's value for the given row (the first of a tile). */
// @ts-ignore: decorator
@inline
export function inputColumn(request: usize, scratch: usize, input: usize, row: usize): usize {
  return isBroadcast(request, input)
    ? broadcastColumn(scratch, input)
    : inputAddress(request, input) + (row << 3);
}

/** The address of the option-type byte for the given row (the first of a tile). */
// @ts-ignore: decorator
@inline
export function isCallColumn(request: usize, scratch: usize, row: usize): usize {
  return load<u32>(request, flagsOffset) & flagIsCallBroadcast
    ? broadcastIsCall(scratch)
    : <usize>load<u32>(request, isCallOffset) + row;
}

/** Writes null into every requested output of a row. */
export function writeNullRow(request: usize, mask: u32, row: usize): void {
  for (let left = mask; left != 0; left &= left - 1) {
    store<u64>(outputAddress(request, <usize>ctz<u32>(left)) + (row << 3), nullBits);
  }
}

/** Copies the requested limit values of a row, raw at `limits` by output id, in the request's units; null stays the canonical NaN. */
export function writeLimitRow(request: usize, mask: u32, row: usize, limits: usize): void {
  for (let left = mask; left != 0; left &= left - 1) {
    const output = <usize>ctz<u32>(left);
    const raw = load<f64>(limits + (output << 3));
    const address = outputAddress(request, output) + (row << 3);
    if (raw == raw) store<f64>(address, raw * load<f64>(request + factorsOffset + (output << 3)));
    else store<u64>(address, nullBits);
  }
}
