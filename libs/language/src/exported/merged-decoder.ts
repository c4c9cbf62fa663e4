/**
 * A causal decoder for other runtimes, in the layout of optimum and transformers.js: `inputs_embeds`, `attention_mask`
 * and `past_key_values.N.key`, `.value` → `logits` and `present.N.key`, `.value`. One graph serves the prompt (a past
 * of length 0) and all later tokens.
 */
import { Blip2Error, f32, i64, type TensorSpec } from '@blip2/interfaces';
import {
  assumeAxes,
  buildGraph,
  type F32,
  splitHeads,
  type Value,
  type WeightSource,
  writeSection,
  type WrittenModel,
} from '@blip2/onnx';

import type { CausalRequest, CausalSignature, CausalSizes } from '../causal/causal-signature.ts';
import { DECODING } from '../decoder-outputs.ts';
import type { PositionValues } from './position-values.ts';
import { appended, integer, keysSpec, newPositions, range, TOTAL, windowedBias } from './sequence-values.ts';

/** File names without extension, as optimum and transformers.js have them. */
export const EMBED_TOKENS = 'embed_tokens';
export const DECODER = 'decoder_model_merged';

export interface MergedDecoder<C> {
  readonly config: C;
  readonly sizes: CausalSizes;
  readonly store: WeightSource;
  readonly window: number | undefined;
  /** Absent: the family does not say how its positions are computed in a graph. */
  readonly positionValues: PositionValues<C> | undefined;
  build(request: CausalRequest, weights: WeightSource): WrittenModel<CausalSignature>;
}

/** @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` if the family cannot be exported. */
export function buildMergedDecoder<C>(decoder: MergedDecoder<C>): WrittenModel {
  const { config, sizes, store, window, positionValues } = decoder;
  if (!positionValues)
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'This family of language models cannot be exported', {
      where: 'positionValues',
      expected: 'the inputs of the position encoding as values of a graph',
      got: 'nothing',
    });
  const { embeddingSize, vocabSize, layers, keyValueHeads, headSize } = sizes;
  const names = Array.from({ length: layers }, (_, layer) => layer);
  const all = (prefix: string, positions: string): Record<string, TensorSpec<'float32'>> =>
    Object.fromEntries(
      names.flatMap((layer) =>
        ['key', 'value'].map((kind) => [`${prefix}.${layer}.${kind}`, keysSpec(keyValueHeads, positions, headSize)]),
      ),
    );
  const signature = {
    inputs: {
      inputs_embeds: f32('batch', 'sequence', embeddingSize),
      attention_mask: i64('batch', TOTAL),
      ...all('past_key_values', 'past'),
    },
    outputs: { logits: f32('batch', 'sequence', vocabSize), ...all('present', TOTAL) },
  };
  return buildGraph({ name: DECODER, signature, weights: store }, (g, inputs, weights) => {
    const { inputs_embeds, attention_mask } = inputs;
    const past = (layer: number, kind: string): F32 =>
      (inputs as Readonly<Record<string, Value>>)[`past_key_values.${layer}.${kind}`] as F32;
    const positions = newPositions(g, attention_mask, inputs_embeds);
    const scored = range(g, integer(g, 0), positions.sequence, 'scored');
    const outputs = writeSection(weights, (source) => decoder.build(DECODING, source), {
      inputs_embeds,
      attention_bias: positions.bias,
      logit_positions: scored,
      ...(window !== undefined && { window_bias: windowedBias(g, positions, window) }),
      ...positionValues(g, config, positions),
      ...Object.fromEntries(
        names.flatMap((layer) =>
          ['key', 'value'].map((kind): [string, F32] => [`past_${kind}.${layer}`, past(layer, kind)]),
        ),
      ),
    } as never) as { readonly logits: F32 } & Readonly<Record<string, F32>>;
    const present = (layer: number, kind: string): F32 =>
      appended(g, past(layer, kind), splitHeads(g, outputs[`new_${kind}.${layer}`] as F32, keyValueHeads));
    return {
      logits: assumeAxes(outputs.logits, ['batch', 'sequence', vocabSize], 'every position has logits'),
      ...Object.fromEntries(
        names.flatMap((layer) =>
          ['key', 'value'].map((kind): [string, F32] => [`present.${layer}.${kind}`, present(layer, kind)]),
        ),
      ),
    };
  });
}
