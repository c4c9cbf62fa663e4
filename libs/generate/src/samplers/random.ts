/** A source of uniform random numbers in [0, 1), multiples of 2^-53. */
export type Random = () => number;

/**
 * Creates a random number generator that depends on `seed` (32 bits) and `stream` only: xoshiro128** (Blackman and
 * Vigna 2018), with a state initialised by splitmix32. Each row has its own stream, so that its samples do not depend
 * on when other rows end.
 */
export function createRandom(seed: number, stream: number): Random {
  const fill = splitmix32(Math.imul(stream, 0x9e3779b1) ^ seed);
  const state = Uint32Array.from([fill(), fill(), fill(), fill()]);
  const next = (): number => xoshiro128StarStar(state);
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) * 2 ** -53;
}

/** Creates a random 32-bit seed from the system's entropy. */
export function randomSeed(): number {
  const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
  return seed;
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

function xoshiro128StarStar(state: Uint32Array): number {
  const first = state[0] ?? 0;
  const second = state[1] ?? 0;
  const result = Math.imul(rotateLeft(Math.imul(second, 5), 7), 9) >>> 0;
  const third = (state[2] ?? 0) ^ first;
  const fourth = (state[3] ?? 0) ^ second;
  state[0] = first ^ fourth;
  state[1] = second ^ third;
  state[2] = third ^ (second << 9);
  state[3] = rotateLeft(fourth, 11);
  return result;
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
