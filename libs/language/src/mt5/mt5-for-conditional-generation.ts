/**
 * mT5: T5 v1.1 for many languages (arXiv 2010.11934).
 * HF class `MT5ForConditionalGeneration`; checkpoint paths as in T5.
 */
import { Mt5Config } from '@blip2/config';
import type { Part } from '@blip2/part';

import type { LanguageFamily } from '../language-family.ts';
import { defineSeq2SeqLanguageModel, type Seq2SeqPart } from '../seq2seq/define-seq2seq-language-model.ts';
import { TOKEN_EMBEDDINGS } from '../seq2seq/t5-token-embeddings.ts';

/** An mT5 model with its head: the seam for decoding, and the full forward of its HF class. */
export type MT5ForConditionalGeneration = Seq2SeqPart<Mt5Config>;

export const MT5ForConditionalGeneration: Part<Mt5Config, MT5ForConditionalGeneration> =
  defineSeq2SeqLanguageModel<Mt5Config>({ architectures: { mt5: 'MT5ForConditionalGeneration' }, config: Mt5Config });

export const mt5Family: LanguageFamily<Mt5Config> = {
  part: MT5ForConditionalGeneration,
  tokenEmbeddings: TOKEN_EMBEDDINGS,
  embeddingReplacesHead: true,
};
