/**
 * UMT5: mT5 with a relative position bias in every layer (arXiv 2304.09151).
 * HF class `UMT5ForConditionalGeneration`; checkpoint paths as in T5.
 */
import { Umt5Config } from '@blip2/config';
import type { Part } from '@blip2/part';

import type { LanguageFamily } from '../language-family.ts';
import { defineSeq2SeqLanguageModel, type Seq2SeqPart } from '../seq2seq/define-seq2seq-language-model.ts';
import { TOKEN_EMBEDDINGS } from '../seq2seq/t5-token-embeddings.ts';

/** A UMT5 model with its head: the seam for decoding, and the full forward of its HF class. */
export type UMT5ForConditionalGeneration = Seq2SeqPart<Umt5Config>;

export const UMT5ForConditionalGeneration: Part<Umt5Config, UMT5ForConditionalGeneration> =
  defineSeq2SeqLanguageModel<Umt5Config>({
    architectures: { umt5: 'UMT5ForConditionalGeneration' },
    config: Umt5Config,
  });

export const umt5Family: LanguageFamily<Umt5Config> = {
  part: UMT5ForConditionalGeneration,
  tokenEmbeddings: TOKEN_EMBEDDINGS,
  embeddingReplacesHead: true,
};
