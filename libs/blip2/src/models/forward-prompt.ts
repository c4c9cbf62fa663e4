import { Blip2Error, type LanguageModel, type Logits, type Rows, type Tensor } from '@blip2/interfaces';
import type { CausalLMOptions, CausalLMOutput, Seq2SeqLMOutput } from '@blip2/language';

import type { CheckpointLanguageModel } from '../parts/part-loaders.ts';
import type { MergedPrompt } from '../pipeline/merge-prompt.ts';

/** What a language model is judged by. */
export interface TargetInputs {
  /**
   * `[batch, target]`, −100 for "does not count". Causal model: ids of the last positions of each row; seq2seq model:
   * of the decoder's.
   */
  readonly labels?: Rows;
  /** `[batch, target]`: where the decoder of a seq2seq model begins. Default: the labels behind the start token. */
  readonly decoderInputIds?: Rows;
  /** `[batch, target]`. Default: every position of the decoder counts. */
  readonly decoderAttentionMask?: Rows;
}

/** What the language model says, by its `architecture`. */
export type LanguageModelOutput = CausalLMOutput | Seq2SeqLMOutput;

/** Scores of a prompt, and what else the language model gives. */
export interface PromptOutput {
  /**
   * `[batch, sequence, vocabulary]`, image positions included; or of a seq2seq model's decoder, `[batch, target,
   * vocabulary]`.
   */
  readonly logits: Logits;
  /** Mean cross-entropy of the labels, `[1]`. */
  readonly loss?: Tensor<'float32', [1]>;
  /** `hiddenStates`, `attentions` and `pastKeyValues` where they were asked for. */
  readonly languageModelOutputs: LanguageModelOutput;
}

/** Scores every position of a prompt that images are part of, or of a seq2seq model's decoder. */
export async function forwardPrompt(
  language: CheckpointLanguageModel,
  { inputsEmbeds, attentionMask }: MergedPrompt,
  { labels, decoderInputIds, decoderAttentionMask }: TargetInputs,
  outputs: CausalLMOptions,
): Promise<PromptOutput> {
  const languageModelOutputs: LanguageModelOutput = await language.forward(
    {
      inputsEmbeds,
      attentionMask,
      ...(labels && { labels }),
      ...(decoderInputIds && { decoderInputIds }),
      ...(decoderAttentionMask && { decoderAttentionMask }),
    },
    outputs,
  );
  const { logits, loss } = languageModelOutputs;
  if (!logits)
    throw new Blip2Error('SESSION_FAILED', 'The language model gave no scores', { where: 'languageModel.forward' });
  return { logits, ...(loss && { loss }), languageModelOutputs };
}

/** Refuses early what the language model would refuse, or leave unread, after the image has been encoded. */
export function expectDecoderInputs(
  { architecture }: Pick<LanguageModel, 'architecture'>,
  { labels, decoderInputIds, decoderAttentionMask }: TargetInputs,
): void {
  if (architecture === 'seq2seq' && !labels && !decoderInputIds) {
    throw new Blip2Error('INVALID_ARGUMENT', 'The decoder needs something to read', {
      where: 'decoderInputIds',
      expected: 'labels or decoderInputIds',
      got: 'neither',
      fix: 'Use generate to let the model write',
    });
  }
  if (architecture === 'causal' && (decoderInputIds || decoderAttentionMask)) {
    throw new Blip2Error('INVALID_ARGUMENT', 'This language model has no decoder apart', {
      where: 'decoderInputIds',
      expected: 'inputIds alone',
      got: 'inputs of a decoder',
    });
  }
}
