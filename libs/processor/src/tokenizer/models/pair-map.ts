/** A map from pairs of non-negative integers to integers, in typed arrays: 20 to 28 bytes per entry. */
export interface PairMap {
  /** The value of a pair; -1 if it has none. */
  get(first: number, second: number): number;
  set(first: number, second: number, value: number): void;
}

/** Odd multipliers of the hash, chosen per process so that files cannot contain keys that collide. */
const [FIRST_FACTOR, SECOND_FACTOR] = [randomOdd(), randomOdd()];

/** Creates a map for at most `capacity` pairs (open addressing with linear probing, at most half full). */
export function createPairMap(capacity: number): PairMap {
  const bits = Math.max(4, Math.ceil(Math.log2(2 * capacity + 2)));
  const shift = 32 - bits;
  const mask = 2 ** bits - 1;
  /** Index of an entry plus one; 0 is free. */
  const slots = new Uint32Array(2 ** bits);
  const firsts = new Int32Array(capacity);
  const seconds = new Int32Array(capacity);
  const values = new Int32Array(capacity);
  let size = 0;
  const slotOf = (first: number, second: number): number => {
    let hash = Math.imul(first, FIRST_FACTOR) + Math.imul(second, SECOND_FACTOR);
    hash = Math.imul(hash ^ (hash >>> 15), FIRST_FACTOR);
    let slot = hash >>> shift;
    for (;;) {
      const entry = slots[slot] ?? 0;
      if (entry === 0 || (firsts[entry - 1] === first && seconds[entry - 1] === second)) return slot;
      slot = (slot + 1) & mask;
    }
  };
  return {
    get(first, second) {
      const entry = slots[slotOf(first, second)] ?? 0;
      return entry === 0 ? -1 : (values[entry - 1] ?? -1);
    },
    set(first, second, value) {
      const slot = slotOf(first, second);
      const entry = slots[slot] ?? 0;
      if (entry !== 0) values[entry - 1] = value;
      else {
        firsts[size] = first;
        seconds[size] = second;
        values[size] = value;
        slots[slot] = ++size;
      }
    },
  };
}

function randomOdd(): number {
  return Math.floor(Math.random() * 2 ** 32) | 1;
}
