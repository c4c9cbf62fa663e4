import type { T5Config } from '@blip2/config';
import { recordWeights, type RecordedWeight } from '@blip2/onnx';
import { buildT5Decoder } from './t5-decoder-graph.ts';
import { buildT5Cross, buildT5Embedding, buildT5Encoder } from './t5-encoder-graph.ts';
import { innerSize } from './t5-layers.ts';

/** Every tensor of T5's checkpoint, by name and shape. Only a tied head is scaled, so an unscaled one is a tensor of its own (T5 v1.1, Flan). */
export function t5Tensors(config: T5Config, prefix: string): RecordedWeight[] {
  const tensors = recordWeights((weights) => {
    buildT5Embedding(config, weights, prefix);
    buildT5Encoder(config, weights, prefix, { hiddenStates: false, attentions: false });
    buildT5Cross(config, weights, prefix);
    buildT5Decoder(config, weights, prefix, { cache: false, lastHiddenState: false, hiddenStates: false, attentions: false });
  });
  const head = { name: prefix === '' ? 'lm_head.weight' : `${prefix}.lm_head.weight`, shape: [config.vocabSize, config.dModel] };
  return config.scaleDecoderOutputs ? tensors : [...tensors, head];
}

/** Standard deviation of a tensor of a model without training, by its name (`_init_weights` of the reference); norms are all `initializerFactor`. */
export function t5InitialDeviation(config: T5Config, name: string): number {
  const { initializerFactor, dModel, dKv, dFf } = config;
  const rule = DEVIATIONS.find(([ending]) => name.endsWith(ending))?.[1];
  const width = { none: 1, model: dModel, query: dModel * dKv, inner: innerSize(config), wide: dFf }[rule ?? 'model'];
  return initializerFactor * width ** -0.5;
}

const DEVIATIONS: readonly (readonly [ending: string, rule: 'none' | 'model' | 'query' | 'inner' | 'wide'])[] = [
  ['shared.weight', 'none'], ['lm_head.weight', 'none'], ['.q.weight', 'query'], ['.o.weight', 'inner'], ['.wo.weight', 'wide'],
];
