import type { TokenIds } from './tensor.ts';

/** Rewrites one row of next-token scores in place. `ids` are all ids that penalties see, prompt first. */
export type LogitsProcessor = (ids: TokenIds, scores: Float32Array) => void;
/** Says whether a row is finished. `newIds` are the ids generated so far. */
export type StoppingCriterion = (newIds: TokenIds) => boolean;
/** Chooses the next token of a row: its id, or -1 if no score is above -Infinity. */
export type Sampler = (scores: Float32Array) => number;
/** Hears every new token of every row as it is chosen, and the end. */
export interface Streamer {
  put(row: number, id: number): void;
  end(): void;
}
