/**
 * T5 (arXiv 1910.10683), v1.0, v1.1 or Flan. HF class `T5ForConditionalGeneration`; checkpoint paths `shared`,
 * `encoder`, `decoder` and `lm_head`, below `language_model` in a BLIP-2 checkpoint.
 */
import { T5Config } from '@blip2/config';
import type { Part, PartWeights } from '@blip2/part';
import type { PartOptions } from '@blip2/runtime';

import type { LanguageFamily } from '../language-family.ts';
import { defineSeq2SeqLanguageModel, type Seq2SeqPart } from '../seq2seq/define-seq2seq-language-model.ts';
import { TOKEN_EMBEDDINGS } from '../seq2seq/t5-token-embeddings.ts';

/**
 * T5 with its language-model head, v1.0, v1.1 or Flan: the seam for decoding, and the full forward of HF
 * `T5ForConditionalGeneration`. Relative positions count padding: rows padded on the right equal the unpadded rows, but
 * padding between image tokens and text increases the distance between them.
 */
export type T5ForConditionalGeneration = Seq2SeqPart<T5Config>;

export const T5ForConditionalGeneration: Part<T5Config, T5ForConditionalGeneration> =
  defineSeq2SeqLanguageModel<T5Config>({ architectures: { t5: 'T5ForConditionalGeneration' }, config: T5Config });

export const t5Family: LanguageFamily<T5Config> = {
  part: T5ForConditionalGeneration,
  tokenEmbeddings: TOKEN_EMBEDDINGS,
  embeddingReplacesHead: true,
  hasSharedEmbeddings: true,
};

/** Creates a T5 from its configuration and weights. Nothing is loaded before its first use. */
export function createT5ForConditionalGeneration(
  config: T5Config,
  weights: PartWeights,
  options?: PartOptions,
): T5ForConditionalGeneration {
  return T5ForConditionalGeneration.create(config, weights, options);
}
