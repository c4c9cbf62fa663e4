import {
  type AttentionInputs,
  type F32,
  gather,
  type Graph,
  type GraphInputs,
  type GraphOutputs,
  type RecordedWeight,
  recordWeights,
  type WeightFinder,
} from '@blip2/onnx';

import { type DecoderLayerOutput, decoderOutputs, LOGITS } from '../decoder-outputs.ts';
import type { CausalRequest, CausalSignature } from './causal-signature.ts';

/** What a layer of a causal decoder has as inputs in addition to its hidden states. */
export interface CausalLayerContext extends Pick<AttentionInputs, 'bias' | 'past'> {
  /** Compute the attention maps as well. */
  readonly attentions: boolean;
}

/** The blocks of a causal decoder, in order. */
export interface CausalBlocks {
  readonly layers: number;
  /** From token embeddings to the input of the first layer. Default: the same. */
  embeddings?(inputsEmbeds: F32): F32;
  layer(x: F32, layer: number, context: CausalLayerContext): DecoderLayerOutput;
  /** From the output of the last layer to the final hidden states. */
  finalStates(x: F32): F32;
  /** Logits of final hidden states. */
  head(x: F32): F32;
}

/** Connects the blocks of a causal decoder: past keys and values, requested outputs, logits of selected positions. */
export function causalDecoder(
  g: Graph,
  inputs: GraphInputs<CausalSignature>,
  request: CausalRequest,
  blocks: CausalBlocks,
): GraphOutputs<CausalSignature> {
  const embeddings = blocks.embeddings?.(inputs.inputs_embeds) ?? inputs.inputs_embeds;
  const layers: DecoderLayerOutput[] = [];
  let x = embeddings;
  for (let layer = 0; layer < blocks.layers; layer++) {
    const past = request.cache && {
      past: { key: inputs[`past_key.${layer}`] as F32, value: inputs[`past_value.${layer}`] as F32 },
    };
    const context = { bias: inputs.attention_bias, attentions: request.attentions, ...past };
    const output = blocks.layer(x, layer, context);
    layers.push(output);
    x = output.hiddenStates;
  }
  const last = blocks.finalStates(x);
  return {
    logits: blocks.head(gather(g, last, inputs.logit_positions, 1)),
    ...decoderOutputs(request, embeddings, layers, last),
  };
}

/** Builds one graph of a causal model. */
type BuildEmbedding<C> = (config: C, weights: WeightFinder, prefix: string) => unknown;
type BuildDecoder<C> = (config: C, weights: WeightFinder, prefix: string, request: CausalRequest) => unknown;

/** Every tensor of a causal model's checkpoint, by name and shape; a head that is tied to the embedding is not one. */
export function causalTensors<C>(
  config: C,
  prefix: string,
  buildEmbedding: BuildEmbedding<C>,
  buildDecoder: BuildDecoder<C>,
): RecordedWeight[] {
  return recordWeights((weights) => {
    buildEmbedding(config, weights, prefix);
    buildDecoder(config, weights, prefix, LOGITS);
  });
}
