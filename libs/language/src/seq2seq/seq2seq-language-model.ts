import type { Attentions, DifferentiableLanguageModel, HiddenStates, Logits, Rows, Tensor } from '@blip2/interfaces';

import type { Seq2SeqKeyValue } from '../decoding/past-key-values.ts';
import type { PromptInputs } from '../language-inputs.ts';

/** An encoder-decoder language model: the seam for decoding, and a full forward. */
export interface Seq2SeqLanguageModel extends DifferentiableLanguageModel {
  readonly architecture: 'seq2seq';
  /**
   * Logits of every position of the decoder, or of those that follow `pastKeyValues`, equal to one run over all.
   * @throws Blip2Error `INVALID_ARGUMENT` without ids or embeddings, with a past but no `decoderInputIds`, or if labels
   * need a start or pad token that the configuration lacks; `SHAPE_MISMATCH`.
   */
  forward(inputs: Seq2SeqLMInputs, options?: Seq2SeqLMOptions): Promise<Seq2SeqLMOutput>;
}

/**
 * With `pastKeyValues`, `decoderInputIds` are the new positions only, and the encoder needs no input. If it has one, it
 * runs for its own outputs.
 */
export interface Seq2SeqLMInputs extends PromptInputs {
  /**
   * Input of the decoder, `[batch, target]`. Default: the start token, then the labels. Without either, only the
   * encoder
   * runs.
   */
  readonly decoderInputIds?: Rows;
  /** Over past and new positions of the decoder. Default: no padding. */
  readonly decoderAttentionMask?: Rows;
  /** One id per decoder position, −100 to ignore a position. The loss at position `i` uses label `i`. */
  readonly labels?: Rows;
  /**
   * The `pastKeyValues` of an earlier call with `useCache`, one entry per layer. Not modified. `attentionMask` still
   * covers the positions of the encoder.
   */
  readonly pastKeyValues?: readonly Seq2SeqKeyValue[];
}

export interface Seq2SeqLMOptions {
  readonly outputHiddenStates?: boolean;
  readonly outputAttentions?: boolean;
  /** Return `pastKeyValues` of the decoder for later positions. Default false, independent of the configuration. */
  readonly useCache?: boolean;
}

/**
 * Hidden states are the embeddings, then the output of each layer, the last one after the final norm. Attentions are
 * the
 * attention probabilities of each layer.
 */
export interface Seq2SeqLMOutput {
  /** `[batch, target, vocabulary]`; absent, like all outputs of the decoder, if it did not run. */
  readonly logits?: Logits;
  /** Mean cross-entropy, `[1]`. */
  readonly loss?: Tensor<'float32', [1]>;
  /** The decoder's, after its final norm, `[batch, target, hidden]`. */
  readonly lastHiddenState?: HiddenStates;
  readonly decoderHiddenStates?: readonly HiddenStates[];
  /** `[batch, heads, target, past + target]`. */
  readonly decoderAttentions?: readonly Attentions[];
  /** `[batch, heads, target, source]`. */
  readonly crossAttentions?: readonly Attentions[];
  /**
   * With `useCache`, layer by layer: `selfKey` and `selfValue` `[batch, heads, past + target, headSize]`, `crossKey`
   * and `crossValue` `[batch, heads, source, headSize]`.
   */
  readonly pastKeyValues?: readonly Seq2SeqKeyValue[];
  /**
   * After the encoder's final norm, `[batch, source, hidden]`; absent, like all outputs of the encoder, if
   * `pastKeyValues` replaced its input.
   */
  readonly encoderLastHiddenState?: HiddenStates;
  readonly encoderHiddenStates?: readonly HiddenStates[];
  /** `[batch, heads, source, source]`. */
  readonly encoderAttentions?: readonly Attentions[];
}
