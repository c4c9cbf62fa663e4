import type { ConfigFormat } from '../../schema/define-config.ts';
import { ownValue } from '../../schema/json-values.ts';
import type { TextFamily } from '../text-family.ts';
import { defineSeq2SeqConfig, type Seq2SeqConfig, seq2SeqFamily } from './seq2seq-config.ts';

/** The T5 language model (HF `T5Config`), encoder-decoder. */
export interface T5Config extends Seq2SeqConfig {
  readonly modelType: 't5';
}

/** Defaults. Source: `models/t5/configuration_t5.py`, transformers 5.18. */
export const T5Config: ConfigFormat<T5Config> = defineSeq2SeqConfig<T5Config>({
  modelType: 't5',
  defaults: { vocabSize: 32128, dFf: 2048, layers: 6, heads: 8, feedForwardProj: 'relu' },
  // HF scales unless `tie_word_embeddings` is false, as it is for T5 v1.1 and Flan-T5.
  scalesDecoderOutputs: (json) => ownValue(json, 'tie_word_embeddings') !== false,
  storesScale: true,
});

export const t5Family: TextFamily<T5Config> = {
  ...seq2SeqFamily(T5Config),
  licences: [{ repositories: /flan-?t5/i, note: 'The Flan-T5 language model in it is licensed under Apache-2.0' }],
};
