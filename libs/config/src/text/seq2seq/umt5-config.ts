import type { ConfigFormat } from '../../schema/define-config.ts';
import type { TextFamily } from '../text-family.ts';
import { defineSeq2SeqConfig, MULTILINGUAL_DEFAULTS, type Seq2SeqConfig, seq2SeqFamily } from './seq2seq-config.ts';

/** The UMT5 language model (HF `UMT5Config`): mT5 with a relative position bias in every layer. */
export interface Umt5Config extends Seq2SeqConfig {
  readonly modelType: 'umt5';
}

/** Source: `models/umt5/configuration_umt5.py`, transformers 5.18. */
export const Umt5Config: ConfigFormat<Umt5Config> = defineSeq2SeqConfig<Umt5Config>({
  modelType: 'umt5',
  defaults: MULTILINGUAL_DEFAULTS,
  // Transformers 5.18 always scales: it sets `tie_word_embeddings`, whatever the file says.
  scalesDecoderOutputs: () => true,
  hasBiasInEveryLayer: true,
});

export const umt5Family: TextFamily<Umt5Config> = seq2SeqFamily(Umt5Config);
