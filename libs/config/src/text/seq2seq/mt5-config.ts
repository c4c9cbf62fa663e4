import type { ConfigFormat } from '../../schema/define-config.ts';
import type { TextFamily } from '../text-family.ts';
import { defineSeq2SeqConfig, MULTILINGUAL_DEFAULTS, type Seq2SeqConfig, seq2SeqFamily } from './seq2seq-config.ts';

/** The multilingual mT5 language model (HF `MT5Config`): T5 v1.1 with other defaults. */
export interface Mt5Config extends Seq2SeqConfig {
  readonly modelType: 'mt5';
}

/** Source: `models/mt5/configuration_mt5.py`, transformers 5.18. */
export const Mt5Config: ConfigFormat<Mt5Config> = defineSeq2SeqConfig<Mt5Config>({
  modelType: 'mt5',
  defaults: MULTILINGUAL_DEFAULTS,
  // Transformers 5.18 never scales, whatever `tie_word_embeddings` says.
  scalesDecoderOutputs: () => false,
});

export const mt5Family: TextFamily<Mt5Config> = seq2SeqFamily(Mt5Config);
