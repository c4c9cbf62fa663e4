import type { AttentionMask, Logits, TokenEmbeddings, TokenIds } from '@blip2/interfaces';

import type { causalBias } from './causal-bias.ts';
import type { CacheSize, KeyValueCache, NewRows } from './key-value-cache.ts';

/** The state of a decoding in addition to its cache: what the encoder computed for each row. */
export interface RowMemory<M> {
  /** The state of rows that continue rows `parents`. It may take over this state, which is not used again. */
  pick(parents: readonly number[]): M;
  /** An independent state of some rows, or of all. Absent: this state never changes. */
  readonly copy?: (rows?: readonly number[]) => M;
  /** This state followed by rows of another one. Absent: the rows of two decodings cannot be joined. */
  readonly join?: (other: M, rows: readonly number[]) => M;
}

/** One step of a decoder: new positions against a cache. */
export interface CachedStep<M> {
  readonly inputsEmbeds: TokenEmbeddings;
  /** Mask over past and new positions. */
  readonly attentionMask: AttentionMask;
  readonly cache: KeyValueCache;
  readonly memory: M;
  readonly bias: ReturnType<typeof causalBias>;
  /** Indices of the new positions to compute logits for. */
  readonly logitPositions: readonly number[];
  /** Rows of the first step of single positions since the prompt, which this may be. */
  readonly firstRows: number;
}

export interface CachedStepOutput {
  readonly logits: Logits;
  readonly newKeys: readonly NewRows[];
  readonly newValues: readonly NewRows[];
}

/** What a language model supplies for decoding. Everything else is shared. */
export interface CachedStepper<M> {
  readonly cacheSize: CacheSize;
  readonly maxPositions: number;
  embed(ids: readonly TokenIds[]): Promise<TokenEmbeddings>;
  /** The same function for all decodings of a model. */
  step(step: CachedStep<M>): Promise<CachedStepOutput>;
}
