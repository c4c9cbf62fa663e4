import type { FinishReason } from '@blip2/generate';

/** Milliseconds that the batch of this result took, by stage. */
export interface Timings {
  /** Decoding, resizing and tokenising. */
  readonly preprocess: number;
  /** Vision encoder, Q-Former and projection; 0 where the image had been encoded before. */
  readonly encode: number;
  /** Reading the prompt and writing the tokens. */
  readonly generate: number;
}

/** One text about one image. */
export interface TextResult {
  /** Decoded without special tokens, trimmed. Empty if the model ended at once: `finishReason` is then `eos`. */
  readonly text: string;
  /** The new tokens, the end token included when it came, no padding. */
  readonly tokenIds: readonly number[];
  /** Sum of the natural log-probabilities of these tokens; with beams, the sequence's score. */
  readonly score: number;
  /**
   * Why it ended: at the end token, at its length, at a stop string or criterion, by `maxTime`, or because it was
   * stopped.
   */
  readonly finishReason: FinishReason;
  /** Of the whole batch, in milliseconds. */
  readonly timings: Timings;
}
