// Random bits by number: the same seed, stream and place give the same bits on every thread and machine, and there is no state to hand on. Separate because
// every model that simulates draws from it.
// Source: Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3: Philox 4x32 with ten rounds, of whose four words two are
// given. Checked against the published answers (tests/numerics/math/sampling.test.ts).

/** Two words, the first in the low half. The counter is four words, the key two (the seed). */
export function randomBits(seed: u64, first: u32, second: u32, third: u32, fourth: u32): u64 {
  let a = first;
  let b = second;
  let c = third;
  let d = fourth;
  let keyLow = <u32>seed;
  let keyHigh = <u32>(seed >> 32);
  for (let round = 0; round < 10; round++) {
    const one = <u64>a * 0xd2511f53;
    const other = <u64>c * 0xcd9e8d57;
    a = <u32>(other >> 32) ^ b ^ keyLow;
    b = <u32>other;
    c = <u32>(one >> 32) ^ d ^ keyHigh;
    d = <u32>one;
    keyLow += 0x9e3779b9;
    keyHigh += 0xbb67ae85;
  }
  return <u64>a | (<u64>b << 32);
}

/** The middle of the word's part of (0, 1): never 0, never 1, and the mirror image of its complement's. */
// @ts-ignore: decorator
@inline
export function uniformOf(word: u32): f64 {
  return (<f64>word + 0.5) * 2.3283064365386963e-10;
}
