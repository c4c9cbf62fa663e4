import type { Phase, WeightStore } from '@blip2/interfaces';
import type { PartWeights } from '@blip2/part';
import type { PartOptions } from '@blip2/runtime';

/** The weights of a language model, by the number of rows of one run. */
export interface StoresByRows {
  /** For prompts and large batches. */
  readonly prefill: WeightStore;
  /** For decoding steps of a few rows. The same as `prefill` unless another form is faster. */
  readonly decode: WeightStore;
  /** Rows up to which `decode` is faster. */
  readonly fewRows: number;
  /** Whether every step of single positions uses `decode`, whatever its rows. */
  readonly isFixed: boolean;
}

/** New positions of one run. */
export interface StepSize {
  readonly rows: number;
  readonly sequence: number;
  /**
   * Rows of the first step of single positions of a decoding. They select the weights of the later ones, so that texts
   * that end do not change those of the others.
   */
  readonly firstRows: number;
}

/**
 * Rows up to which 4-bit blocks are faster than 8 bits with a scale per row, where that was not measured: the former
 * read half the bytes, the latter multiply many times as fast. On a 2560 × 10240 weight 0.36 against 0.55 ms for one
 * row, 4.3 against 1.0 ms for 32.
 */
const DEFAULT_FEW_ROWS = 4;

/** Selects the weights that a model needs: one form only if the rows of all steps are known. */
export function storesByRows(
  { store, decodeStore = store }: PartWeights,
  { rows, threads }: Pick<PartOptions, 'rows' | 'threads'> = {},
): StoresByRows {
  const fewRows = (typeof threads === 'object' ? threads.fewRows : undefined) ?? DEFAULT_FEW_ROWS;
  const decode = rows !== undefined && rows > fewRows ? store : decodeStore;
  return { prefill: store, decode, fewRows, isFixed: rows !== undefined };
}

/** The store of one run. */
export function storeForStep(
  { prefill, decode, fewRows, isFixed }: StoresByRows,
  { rows, sequence, firstRows }: StepSize,
): WeightStore {
  if (sequence > 1) return rows * sequence <= fewRows ? decode : prefill;
  return isFixed || firstRows <= fewRows ? decode : prefill;
}

/** Name of the session for one store. */
export function decodingName({ prefill }: StoresByRows, store: WeightStore): string {
  return store === prefill ? 'decoding' : 'decoding of few rows';
}

/**
 * The phase whose number of threads the session for one store has. A session that also runs prompts has that of
 * prompts: too few threads slow down a prompt more than too many slow down reading.
 */
export function decodingPhase({ prefill }: StoresByRows, store: WeightStore): Phase {
  return store === prefill ? 'prompt' : 'decode';
}
