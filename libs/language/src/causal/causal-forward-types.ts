import type { Attentions, DifferentiableLanguageModel, HiddenStates, Logits, Rows, Tensor } from '@blip2/interfaces';

import type { KeyValue } from '../decoding/past-key-values.ts';
import type { PromptInputs } from '../language-inputs.ts';

/**
 * With `pastKeyValues`, ids or embeddings and labels are those of the new positions only; `attentionMask` covers past
 * and new positions.
 */
export interface CausalLMInputs extends PromptInputs {
  /** One id per position, −100 to ignore a position. The loss at position `i` uses label `i + 1`. */
  readonly labels?: Rows;
  /**
   * The `pastKeyValues` of an earlier call with `useCache`, one entry per layer, each tensor `[batch, keyValueHeads,
   * past, headSize]`. Not modified.
   */
  readonly pastKeyValues?: readonly KeyValue[];
}

export interface CausalLMOptions {
  readonly outputHiddenStates?: boolean;
  readonly outputAttentions?: boolean;
  /** Return `pastKeyValues` for later positions. Default false, independent of the configuration. */
  readonly useCache?: boolean;
}

export interface CausalLMOutput {
  /** `[batch, sequence, vocabulary]`. */
  readonly logits: Logits;
  /** Mean cross-entropy, `[1]`. */
  readonly loss?: Tensor<'float32', [1]>;
  /** After the final norm, `[batch, sequence, hidden]`. */
  readonly lastHiddenState: HiddenStates;
  /** Embeddings, then the output of each layer, the last one after the final norm. */
  readonly hiddenStates?: readonly HiddenStates[];
  /** Attention probabilities of each layer, `[batch, heads, sequence, past + sequence]`. */
  readonly attentions?: readonly Attentions[];
  /** With `useCache`: keys and values of each layer, `[batch, keyValueHeads, past + sequence, headSize]`. */
  readonly pastKeyValues?: readonly KeyValue[];
}

/** A decoder-only language model: the seam for decoding, and a full forward over all positions. */
export interface CausalLanguageModel extends DifferentiableLanguageModel {
  readonly architecture: 'causal';
  /**
   * Logits of every position, or of those that follow `pastKeyValues`, equal to one run over all.
   * @throws Blip2Error `INVALID_ARGUMENT` without ids or embeddings; `SEQUENCE_TOO_LONG` beyond `maxPositions`, past
   * positions included; `SHAPE_MISMATCH`.
   */
  forward(inputs: CausalLMInputs, options?: CausalLMOptions): Promise<CausalLMOutput>;
}
