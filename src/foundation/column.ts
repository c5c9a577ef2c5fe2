// Where the numbers of a large batch lie: in memory that threads may share, so that workers read and write it where it is.
// Separate because readers of files and bodies make columns that the engine takes, and neither knows the other. Such an array
// is used like any other; only a thread it was posted to sees the same bytes instead of a copy.

/** Rows from which sharing pays; a smaller array is made faster in memory of its own. */
const sharedRowsMin = 4096;

/** A column of zeros. */
export function newColumn(rows: number): Float64Array {
  return rows < sharedRowsMin
    ? new Float64Array(rows)
    : new Float64Array(new SharedArrayBuffer(rows * Float64Array.BYTES_PER_ELEMENT));
}

/** True where a thread that is posted the array sees the same memory. */
export function isShared(array: ArrayBufferView): boolean {
  return array.buffer instanceof SharedArrayBuffer;
}
