import type { AttentionMask, TokenEmbeddings, TokenIds } from './tensor.ts';

/** Options of `LanguageModel.lossAndGradient`. */
export interface LossOptions {
  /**
   * Ids after the prefix that are given and not predicted, such as a start token or a question, one row per row of the
   * prefix; rows may differ in length. They are encoded with the prefix by a seq2seq model. Default none.
   */
  readonly promptIds?: readonly TokenIds[];
  /** Which positions of the prefix count, `[batch, positions]`. Default all. */
  readonly attentionMask?: AttentionMask;
}

/** The result of `LanguageModel.lossAndGradient`. */
export interface LossAndGradient {
  /** Mean of −log p over all targets of the batch. */
  readonly loss: number;
  /** The number of targets that the mean is over: the weight of the loss if batches are added. */
  readonly targetCount: number;
  /** The gradient of `loss` with respect to the prefix, in its shape; 0 at positions that do not count. */
  readonly prefixGradient: TokenEmbeddings;
}
