import type { Seq2SeqConfig } from '@blip2/config';
import { type RecordedWeight, recordWeights } from '@blip2/onnx';
import { type InitializeTensor, pathStart } from '@blip2/part';

import { LOGITS } from '../decoder-outputs.ts';
import { buildT5Decoder } from './t5-decoder-graph.ts';
import { buildT5Cross, buildT5Embedding, buildT5Encoder } from './t5-encoder-graph.ts';
import { innerSize } from './t5-layers.ts';

/** Every tensor of T5's checkpoint, by name and shape. The head is tied if it is scaled, and separate if not (Flan). */
export function t5Tensors(config: Seq2SeqConfig, prefix: string): RecordedWeight[] {
  const tensors = recordWeights((weights) => {
    buildT5Embedding(config, weights, prefix);
    buildT5Encoder(config, weights, prefix, { hiddenStates: false, attentions: false });
    buildT5Cross(config, weights, prefix);
    buildT5Decoder(config, weights, prefix, LOGITS);
  });
  const head = {
    name: `${pathStart(prefix)}lm_head.weight`,
    shape: [config.vocabSize, config.dModel],
  };
  return config.scaleDecoderOutputs ? tensors : [...tensors, head];
}

type Width = 'one' | 'model' | 'query' | 'inner' | 'wide';

/** The width that determines a weight's standard deviation, by the end of its name. Default: the model's. */
const WIDTHS: readonly (readonly [ending: string, width: Width])[] = [
  ['shared.weight', 'one'],
  ['lm_head.weight', 'one'],
  ['.q.weight', 'query'],
  ['.o.weight', 'inner'],
  ['.wo.weight', 'wide'],
];

/** `_init_weights` of HF `T5PreTrainedModel`: norms one, the rest normal, the narrower the more terms are summed. */
export function t5Initializer(config: Seq2SeqConfig): InitializeTensor {
  const { initializerFactor, dModel, dKv, dFf } = config;
  const widths: Readonly<Record<Width, number>> = {
    one: 1,
    model: dModel,
    query: dModel * dKv,
    inner: innerSize(config),
    wide: dFf,
  };
  return (name) => {
    if (name.endsWith('layer_norm.weight')) return { kind: 'ones' };
    const width = WIDTHS.find(([ending]) => name.endsWith(ending))?.[1] ?? 'model';
    return { kind: 'normal', std: initializerFactor * widths[width] ** -0.5 };
  };
}
