import type { Tensor } from '@blip2/interfaces';

/** Why a row ended: an end token, its length, a stop string or criterion, `maxTime`; `aborted` rows were cut off. */
export type FinishReason = 'eos' | 'length' | 'stop' | 'time' | 'aborted';

/** Scores of one step, one row per row of the search. */
export type StepScores = Tensor<'float32', [rows: number, vocabulary: number]>;

/** What generation returns. Rows: `numReturnSequences` for each prompt, best first. */
export interface GenerateOutput {
  /**
   * New ids `[rows][longest]`, the end token included; shorter rows are filled with the pad id. With `returnPrompt` the
   * whole rows.
   */
  readonly sequences: number[][];
  /**
   * Of beams, one for each row: the sum of the processed log-probabilities (natural) over the number of new tokens to
   * the power of `lengthPenalty`.
   */
  readonly sequencesScores?: number[];
  /**
   * Natural logarithm of the probability that the model itself, before any processor, gave each new token; not padded.
   */
  readonly tokenLogProbs: number[][];
  /** One for each row. */
  readonly finishReasons: FinishReason[];
  /** With `outputScores`: per step `[rows, vocabulary]`, processed; of beams, one row per beam. */
  readonly scores?: StepScores[];
  /** With `outputLogits`: the same before processing. */
  readonly logits?: StepScores[];
  /** Of beams: for each new token, the row of `scores` that it was taken from. */
  readonly beamIndices?: number[][];
  /** With `doSample`: the seed that repeats the result. */
  readonly seed?: number;
}

/** A new token of one row. */
export interface NewToken {
  /** Its row in `sequences`, from 0. */
  readonly row: number;
  /** A token id below the model's vocabulary size. */
  readonly id: number;
  /** As `tokenLogProbs`. */
  readonly logProb: number;
  /** Set with the last token of a row. */
  readonly finishReason?: FinishReason;
}

/** One step of decoding. A beam search decides at the end and reports no tokens. */
export interface GenerationStep {
  /** Counts from 0. */
  readonly step: number;
  /** One for each row that had not ended; none of a beam search. */
  readonly tokens: readonly NewToken[];
}
