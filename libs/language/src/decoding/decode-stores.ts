import type { WeightStore } from '@blip2/interfaces';
import type { PartWeights } from '@blip2/part';

/** The weights of a language model, by the number of rows of one run. */
export interface StoresByRows {
  /** For prompts and large batches. */
  readonly prefill: WeightStore;
  /** For decoding steps of a few rows. The same as `prefill` unless another form is faster. */
  readonly decode: WeightStore;
}

/**
 * Rows up to which 4-bit blocks are faster than 8 bits with a scale per row: the former read half the bytes, the latter
 * multiply many times as fast. On a 2560 × 10240 weight 0.36 against 0.55 ms for one row, 4.3 against 1.0 ms for 32.
 */
const MAX_DECODE_ROWS = 4;

export function storesByRows({ store, decodeStore = store }: PartWeights): StoresByRows {
  return { prefill: store, decode: decodeStore };
}

/** The store for one run over `rows` rows. */
export function storeForRows({ prefill, decode }: StoresByRows, rows: number): WeightStore {
  return rows <= MAX_DECODE_ROWS ? decode : prefill;
}

/** Name of the session for one store. */
export function decodingName({ prefill }: StoresByRows, store: WeightStore): string {
  return store === prefill ? 'decoding' : 'decoding of few rows';
}
