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

/** True where two columns hold the same bits; stops at the first difference. */
export function areSame(one: usize, other: usize, bytes: usize): bool {
  for (let at: usize = 0; at < bytes; at += 8) {
    if (load<u64>(one + at) != load<u64>(other + at)) return false;
  }
  return true;
}

/** True where the column is one number, bit for bit, over whole pairs of rows; stops soon after the first difference. */
export function isOneNumber(column: usize, bytes: usize): bool {
  const first = v128.load64_splat(column);
  for (let at: usize = 0; at < bytes; at += 16) {
    if (v128.any_true(v128.xor(v128.load(column + at), first))) return false;
  }
  return true;
}

/**
 * Copies every second row of an even number of them, and once more the last where that leaves an odd number: the loops go by two.
 */
export function packPairs(column: usize, packed: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) store<u64>(packed + (at >> 1), load<u64>(column + at));
  if (bytes & 16) store<u64>(packed + (bytes >> 1), load<u64>(column + bytes - 16));
}

/** The same, true, where rows 2i and 2i + 1 hold the same bits; stops soon after the first difference, with false. */
export function arePacked(column: usize, packed: usize, bytes: usize): bool {
  let at: usize = 0;
  for (; at + 64 <= bytes; at += 64) {
    const from = column + at;
    const to = packed + (at >> 1);
    const first = load<u64>(from);
    const second = load<u64>(from, 16);
    const third = load<u64>(from, 32);
    const fourth = load<u64>(from, 48);
    const differences =
      (first ^ load<u64>(from, 8)) |
      (second ^ load<u64>(from, 24)) |
      (third ^ load<u64>(from, 40)) |
      (fourth ^ load<u64>(from, 56));
    if (differences != 0) return false;
    store<u64>(to, first);
    store<u64>(to, second, 8);
    store<u64>(to, third, 16);
    store<u64>(to, fourth, 24);
  }
  for (let rest = at; rest < bytes; rest += 16) {
    if (load<u64>(column + rest) != load<u64>(column + rest, 8)) return false;
  }
  packPairs(column + at, packed + (at >> 1), bytes - at);
  return true;
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
