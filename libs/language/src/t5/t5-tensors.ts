import type { T5Config } from '@blip2/config';
import { type RecordedWeight, recordWeights } from '@blip2/onnx';
import type { InitializeTensor } from '@blip2/part';

import { buildT5Decoder } from './t5-decoder-graph.ts';
import { buildT5Cross, buildT5Embedding, buildT5Encoder } from './t5-encoder-graph.ts';
import { innerSize } from './t5-layers.ts';

/**
 * Every tensor of T5's checkpoint, by name and shape. Only a tied head is scaled, so an unscaled one is a tensor of its
 * own (T5 v1.1, Flan).
 */
export function t5Tensors(config: T5Config, prefix: string): RecordedWeight[] {
  const tensors = recordWeights((weights) => {
    buildT5Embedding(config, weights, prefix);
    buildT5Encoder(config, weights, prefix, { hiddenStates: false, attentions: false });
    buildT5Cross(config, weights, prefix);
    buildT5Decoder(config, weights, prefix, {
      cache: false,
      lastHiddenState: false,
      hiddenStates: false,
      attentions: false,
    });
  });
  const head = {
    name: prefix === '' ? 'lm_head.weight' : `${prefix}.lm_head.weight`,
    shape: [config.vocabSize, config.dModel],
  };
  return config.scaleDecoderOutputs ? tensors : [...tensors, head];
}

type Width = 'one' | 'model' | 'query' | 'inner' | 'wide';

/** Which width a weight's standard deviation comes from, by the end of its name; the model's for all others. */
const WIDTHS: readonly (readonly [ending: string, width: Width])[] = [
  ['shared.weight', 'one'],
  ['lm_head.weight', 'one'],
  ['.q.weight', 'query'],
  ['.o.weight', 'inner'],
  ['.wo.weight', 'wide'],
];

/**
 * How T5's weights begin (`_init_weights` of the reference): norms one, the rest normal, the narrower the more numbers
 * are summed.
 */
export function t5Initializer(config: T5Config): InitializeTensor {
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
