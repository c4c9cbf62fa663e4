import { Blip2Error, defined, type LanguageModel, type Logits, type Rows, type Tensor } from '@blip2/interfaces';
import type { CausalLMOptions, CausalLMOutput, Seq2SeqLMOutput } from '@blip2/language';
import type { CheckpointLanguageModel } from '@blip2/language';

import type { MergedPrompt } from '../pipeline/merge-prompt.ts';

/** Labels and decoder inputs of `forward`. */
export interface TargetInputs {
  /**
   * `[batch, target]`, −100 to ignore a position. Causal model: ids of the last positions of each row; seq2seq model:
   * of the decoder's.
   */
  readonly labels?: Rows;
  /** `[batch, target]`, seq2seq models only. Default: the start token followed by the labels. */
  readonly decoderInputIds?: Rows;
  /** `[batch, target]`, seq2seq models only. Default: all ones. */
  readonly decoderAttentionMask?: Rows;
}

/** Output of the language model, according to its `architecture`. */
export type LanguageModelOutput = CausalLMOutput | Seq2SeqLMOutput;

/** Logits of a prompt, and the other outputs of the language model. */
export interface PromptOutput {
  /**
   * `[batch, sequence, vocabulary]`, image positions included; for a seq2seq model those of the decoder, `[batch,
   * target, vocabulary]`.
   */
  readonly logits: Logits;
  /** Mean cross-entropy of the labels, `[1]`. */
  readonly loss?: Tensor<'float32', [1]>;
  /** Includes the requested outputs: `hiddenStates`, `attentions` and `pastKeyValues`. */
  readonly languageModelOutputs: LanguageModelOutput;
}

/** The logits of every position of a prompt with images, or of a seq2seq model's decoder. */
export async function forwardPrompt(
  language: CheckpointLanguageModel,
  { inputsEmbeds, attentionMask }: MergedPrompt,
  { labels, decoderInputIds, decoderAttentionMask }: TargetInputs,
  outputs: CausalLMOptions,
): Promise<PromptOutput> {
  const languageModelOutputs: LanguageModelOutput = await language.forward(
    { inputsEmbeds, attentionMask, ...defined({ labels, decoderInputIds, decoderAttentionMask }) },
    outputs,
  );
  const { logits, loss } = languageModelOutputs;
  if (!logits)
    throw new Blip2Error('SESSION_FAILED', 'The language model returned no logits', { where: 'languageModel.forward' });
  return { logits, ...defined({ loss }), languageModelOutputs };
}

/** The loss of a prompt with labels, as a number. */
export function lossOf({ loss }: Pick<PromptOutput, 'loss'>): number {
  const value = loss?.data[0];
  if (value !== undefined) return value;
  throw new Blip2Error('SESSION_FAILED', 'The language model returned no loss', { where: 'languageModel.forward' });
}

/**
 * Refuses decoder inputs that the language model would refuse or ignore, before the image is encoded.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function expectDecoderInputs(
  { architecture }: Pick<LanguageModel, 'architecture'>,
  { labels, decoderInputIds, decoderAttentionMask }: TargetInputs,
): void {
  if (architecture === 'seq2seq' && !labels && !decoderInputIds) {
    throw new Blip2Error(
      'INVALID_ARGUMENT',
      'forward of a seq2seq model requires labels or decoderInputIds, got neither',
      {
        argument: 'decoderInputIds',
        fix: 'To generate text, use generate',
      },
    );
  }
  if (architecture === 'causal' && (decoderInputIds || decoderAttentionMask)) {
    throw new Blip2Error('INVALID_ARGUMENT', 'decoderInputIds is only accepted by seq2seq models', {
      argument: 'decoderInputIds',
      fix: 'Pass inputIds alone',
    });
  }
}
