// The one source of randomness, handed down so that tests can seed it.

export interface Random {
  /** Cryptographically strong bytes in production; seeded in tests. */
  bytes(count: number): Uint8Array;
  /** Uniform in [0, 1). For jitter, never for secrets. */
  unit(): number;
}

export const systemRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  unit: () => Math.random(),
};

/** A reproducible source for tests: xorshift128+ seeded by splitmix64 (Vigna 2017). Not for secrets. */
export function seededRandom(seed: bigint): Random {
  const mask = (1n << 64n) - 1n;
  let mixer = seed & mask;
  const mix = () => {
    mixer = (mixer + 0x9e3779b97f4a7c15n) & mask;
    let z = mixer;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return z ^ (z >> 31n);
  };
  let [a, b] = [mix(), mix()];
  const next = () => {
    let x = a;
    const y = b;
    a = y;
    x = (x ^ (x << 23n)) & mask;
    b = x ^ y ^ (x >> 17n) ^ (y >> 26n);
    return (b + y) & mask;
  };
  return {
    unit: () => Number(next() >> 11n) / 2 ** 53,
    bytes: (count) => Uint8Array.from({ length: count }, () => Number(next() & 255n)),
  };
}

/**
 * Uniform numbers in [0, 1) of 32 bits that follow from a seed, a hundred million a second: for what is simulated, never for secrets.
 * sfc32 of C. Doty-Humphrey's PractRand, the seed's halves and a one as its state, the first 15 numbers thrown away.
 */
export function seededUnit(seed: number): () => number {
  let a = 0;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = seed | 0;
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let round = 0; round < 15; round++) next();
  return next;
}
