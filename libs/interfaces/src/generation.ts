import type { TokenIds } from './tensor.ts';

/** Modifies the next-token logits of one row in place. `ids`: the ids that penalties apply to, prompt first. */
export type LogitsProcessor = (ids: TokenIds, logits: Float32Array) => void;
/** Returns whether a row is finished. `newIds`: the ids generated so far, without the prompt. */
export type StoppingCriterion = (newIds: TokenIds) => boolean;
/** Selects the next token id of a row from its logits `[vocabulary]`; -1 if all of them are -Infinity. */
export type Sampler = (logits: Float32Array) => number;
/** Receives new tokens during generation. */
export interface Streamer {
  /** Called with each new token. `row` is the index of the sequence in the output. */
  put(row: number, id: number): void;
  /** Called once when generation ends, also after an error or abort. */
  end(): void;
}
