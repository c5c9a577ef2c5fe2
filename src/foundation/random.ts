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
