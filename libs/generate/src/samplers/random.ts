/** Draws numbers evenly from [0, 1), each a multiple of 2^-53. */
export type Random = () => number;

/**
 * Random numbers that depend on `seed` (32 bits) and `stream` alone: xoshiro128** (Blackman and Vigna 2018), its state
 * filled by splitmix32 of both.
 * One stream per row, so that a row's draws do not depend on when its neighbours end.
 */
export function createRandom(seed: number, stream: number): Random {
  const fill = splitmix32(Math.imul(stream, 0x9e3779b1) ^ seed);
  const state = Uint32Array.from([fill(), fill(), fill(), fill()]);
  const next = (): number => xoshiro128StarStar(state);
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) * 2 ** -53;
}

/** A seed that nobody chose: 32 bits of the system's own randomness. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
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
  const first = state[0]!;
  const second = state[1]!;
  const result = Math.imul(rotateLeft(Math.imul(second, 5), 7), 9) >>> 0;
  const third = state[2]! ^ first;
  const fourth = state[3]! ^ second;
  state[0] = first ^ fourth;
  state[1] = second ^ third;
  state[2] = third ^ (second << 9);
  state[3] = rotateLeft(fourth, 11);
  return result;
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
