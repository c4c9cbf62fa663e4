import type { Tensor } from '@blip2/interfaces';

/**
 * Why a row ended: end token (`eos`), maximum length (`length`), stop string or stopping criterion (`stop`), `maxTime`
 * (`time`). `aborted`: it had not ended.
 */
export type FinishReason = 'eos' | 'length' | 'stop' | 'time' | 'aborted';

/** Logits of one step, for every row of the search. */
export type StepScores = Tensor<'float32', [rows: number, vocabulary: number]>;

/** The result of generation: `numReturnSequences` rows per prompt, best first. */
export interface GenerateOutput {
  /**
   * New ids `[rows][longest]`, end token included; shorter rows are padded on the right with the pad id. Preceded by
   * the prompt's ids with `returnPrompt`.
   */
  readonly sequences: number[][];
  /**
   * Beam search: score of each row, the sum of the processed log-probabilities (natural) divided by the number of new
   * tokens to the power of `lengthPenalty`.
   */
  readonly sequencesScores?: number[];
  /** Log-probability (natural) that the model assigned to each new token, before any processor; not padded. */
  readonly tokenLogProbs: number[][];
  /** One per row. */
  readonly finishReasons: FinishReason[];
  /** With `outputScores`: processed logits per step, `[rows, vocabulary]`; one row per beam in beam search. */
  readonly scores?: StepScores[];
  /** With `outputLogits`: unprocessed logits per step, same shape. */
  readonly logits?: StepScores[];
  /** Beam search: for each new token, the row of `scores` that it was selected from. */
  readonly beamIndices?: number[][];
  /** With `doSample`: the seed that reproduces the result. */
  readonly seed?: number;
}

/** A new token of one row. */
export interface NewToken {
  /** Index of the row in `sequences`. */
  readonly row: number;
  /** A token id below the model's vocabulary size. */
  readonly id: number;
  /** See `GenerateOutput.tokenLogProbs`. */
  readonly logProb: number;
  /** Set on the last token of a row. */
  readonly finishReason?: FinishReason;
}

/** One decoding step. Beam search selects its tokens at the end, so its steps contain none. */
export interface GenerationStep {
  /** Counts from 0. */
  readonly step: number;
  /** One per row that had not ended; empty in beam search. */
  readonly tokens: readonly NewToken[];
}
