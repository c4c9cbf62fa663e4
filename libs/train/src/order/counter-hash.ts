/**
 * A random number for a counter, without state: any number of a stream is known without those before it, so that a
 * resumed run draws what an uninterrupted one does.
 */

/** A bijection of 32 bits that passes tests of avalanche (Wellons, "Prospecting for hash functions", 2018). */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** An integer of 32 bits for a seed, a stream of it, and a position in the stream. */
export function counterHash(seed: number, stream: number, counter: number): number {
  return mix(mix(mix(seed) + stream) + counter);
}
