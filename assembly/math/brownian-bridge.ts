// A Brownian path from independent normal numbers, the end first, then always the middle of what lies open: the first numbers settle most of the path, which
// is what evenly spread points are good at. Separate because every model that simulates a path builds it so.
// Source: Caflisch, Morokoff and Owen (1997); Glasserman (2003), Monte Carlo Methods in Financial Engineering, 3.1. The times may be any that rise from 0.
// W(t) between known W(l) and W(r) has mean ((r - t) W(l) + (t - l) W(r))/(r - l) and variance (t - l)(r - t)/(r - l). Nothing is allocated: the caller gives a
// table of `bridgeRowBytes` a time, made once for all paths.

/** Bytes of a row of the table; one row a time. */
export const bridgeRowBytes: usize = 40;

const rowIndex: usize = 0; // i32: which time is settled
const rowLeft: usize = 4; // i32: the known time before it, -1 for 0
const rowRight: usize = 8; // i32: the known time after it, -1 for none
const rowLeftWeight: usize = 16;
const rowRightWeight: usize = 24;
const rowDeviation: usize = 32;

// @ts-ignore: decorator
@inline
function timeAt(times: usize, index: i32): f64 {
  return index < 0 ? 0 : load<f64>(times + (<usize>index << 3));
}

// @ts-ignore: decorator
@inline
function writeRow(table: usize, row: usize, times: usize, index: i32, left: i32, right: i32): void {
  const at = table + row * bridgeRowBytes;
  const before = timeAt(times, left);
  const time = timeAt(times, index);
  store<i32>(at, index, rowIndex);
  store<i32>(at, left, rowLeft);
  store<i32>(at, right, rowRight);
  if (right < 0) {
    store<f64>(at, 1, rowLeftWeight);
    store<f64>(at, 0, rowRightWeight);
    store<f64>(at, sqrt<f64>(time - before), rowDeviation);
    return;
  }
  const after = timeAt(times, right);
  store<f64>(at, (after - time) / (after - before), rowLeftWeight);
  store<f64>(at, (time - before) / (after - before), rowRightWeight);
  store<f64>(at, sqrt<f64>(((time - before) * (after - time)) / (after - before)), rowDeviation);
}

/** Makes the table for `count` rising positive times. */
export function prepareBridge(times: usize, count: usize, table: usize): void {
  if (count == 0) return;
  writeRow(table, 0, times, <i32>count - 1, -1, -1);
  let made: usize = 1;
  // each settled time opens a gap before it and one after it; rows are their own queue
  for (let row: usize = 0; row < made; row++) {
    const at = table + row * bridgeRowBytes;
    const index = load<i32>(at, rowIndex);
    const left = load<i32>(at, rowLeft);
    const right = load<i32>(at, rowRight);
    if (index - left > 1) writeRow(table, made++, times, (left + index) >> 1, left, index);
    if (right >= 0 && right - index > 1) writeRow(table, made++, times, (index + right) >> 1, index, right);
  }
}

/** The path at each time, from as many independent normal numbers. */
export function bridgePath(table: usize, count: usize, normals: usize, path: usize): void {
  for (let row: usize = 0; row < count; row++) {
    const at = table + row * bridgeRowBytes;
    const left = load<i32>(at, rowLeft);
    const right = load<i32>(at, rowRight);
    let value = load<f64>(at, rowDeviation) * load<f64>(normals + (row << 3));
    if (left >= 0) value += load<f64>(at, rowLeftWeight) * load<f64>(path + (<usize>left << 3));
    if (right >= 0) value += load<f64>(at, rowRightWeight) * load<f64>(path + (<usize>right << 3));
    store<f64>(path + (<usize>load<i32>(at, rowIndex) << 3), value);
  }
}
