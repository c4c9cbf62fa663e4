/**
 * The decoder of T5, mT5 and UMT5 with its head. HF class `T5ForConditionalGeneration`, …; checkpoint paths `decoder`
 * and `lm_head`.
 */
import type { Seq2SeqConfig } from '@blip2/config';
import { f32, i64, type TensorSpec } from '@blip2/interfaces';
import {
  add,
  type AttentionInputs,
  buildGraph,
  type F32,
  gather,
  type Graph,
  layeredSpecs,
  layeredValues,
  linear,
  scale,
  type Value,
  type Weights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import { type DecoderLayerOutput, decoderOutputs, type DecoderRequest } from '../decoder-outputs.ts';
import { feedForward, innerSize, positionBias, t5Attention, t5Norm, t5Project, t5TokenEmbedding } from './t5-layers.ts';

export type T5DecoderRequest = DecoderRequest;

export interface T5DecoderSignature {
  readonly inputs: {
    readonly inputs_embeds: TensorSpec<'float32', readonly ['batch', 'sequence', number]>;
    /** Rows of the relative position embedding. */
    readonly relative_buckets: TensorSpec<'int64', readonly ['sequence', string]>;
    readonly attention_bias: TensorSpec<'float32', readonly ['batch', 1, 'sequence', string]>;
    readonly cross_bias: TensorSpec<'float32', readonly ['batch', 1, 'sequence', 'source']>;
    /** Positions to compute logits for: the head costs as much as many layers. */
    readonly logit_positions: TensorSpec<'int64', readonly ['scored']>;
  } & Readonly<Record<string, TensorSpec<'float32' | 'int64'>>>;
  readonly outputs: { readonly logits: TensorSpec<'float32', readonly ['batch', 'scored', number]> } & Readonly<
    Record<string, TensorSpec<'float32'>>
  >;
}

export function t5DecoderSignature(
  config: Seq2SeqConfig,
  { cache, lastHiddenState, hiddenStates, attentions }: T5DecoderRequest,
): T5DecoderSignature {
  const { dModel, dKv, numHeads: heads, numDecoderLayers: layers, vocabSize } = config;
  const total = cache ? 'past+sequence' : 'sequence';
  const states = f32('batch', 'sequence', dModel);
  const past = f32('batch', heads, 'past', dKv);
  const cross = f32('batch', heads, 'source', dKv);
  // New rows only: the runtime copies every output, and copying the entire cache for each token would cost more than
  // attention itself.
  const fresh = f32('batch', 'sequence', innerSize(config));
  return {
    inputs: {
      inputs_embeds: states,
      relative_buckets: i64('sequence', total),
      attention_bias: f32('batch', 1, 'sequence', total),
      cross_bias: f32('batch', 1, 'sequence', 'source'),
      logit_positions: i64('scored'),
      ...layeredSpecs('cross_key', layers, cross),
      ...layeredSpecs('cross_value', layers, cross),
      ...(cache && { ...layeredSpecs('past_key', layers, past), ...layeredSpecs('past_value', layers, past) }),
    },
    outputs: {
      logits: f32('batch', 'scored', vocabSize),
      ...(cache && { ...layeredSpecs('new_key', layers, fresh), ...layeredSpecs('new_value', layers, fresh) }),
      ...(lastHiddenState && { last_hidden_state: states }),
      ...(hiddenStates && layeredSpecs('hidden_states', layers + 1, states)),
      ...(attentions && {
        ...layeredSpecs('attentions', layers, f32('batch', heads, 'sequence', total)),
        ...layeredSpecs('cross_attentions', layers, f32('batch', heads, 'sequence', 'source')),
      }),
    },
  };
}

export function buildT5Decoder(
  config: Seq2SeqConfig,
  weights: WeightSource,
  prefix: string,
  request: T5DecoderRequest,
): WrittenModel<T5DecoderSignature> {
  return buildGraph(
    { name: 't5_decoder', signature: t5DecoderSignature(config, request), weights, prefix },
    (g, inputs, root) => {
      const stack = root.at('decoder');
      const blocks: BlockOutput[] = [];
      let bias: F32 | undefined;
      let x: F32 = inputs.inputs_embeds;
      for (let block = 0; block < config.numDecoderLayers; block++) {
        const weights = stack.at(`block.${block}`);
        const biased = { buckets: inputs.relative_buckets, mask: inputs.attention_bias, before: bias };
        bias = positionBias(g, biased, weights, config);
        const output = decoderBlock(g, x, weights, config, {
          bias,
          crossBias: inputs.cross_bias,
          probabilities: request.attentions,
          cross: keyAndValue(inputs, 'cross', block),
          ...(request.cache && { past: keyAndValue(inputs, 'past', block) }),
        });
        blocks.push(output);
        x = output.hiddenStates;
      }
      const last = t5Norm(g, x, stack.at('final_layer_norm'), config);
      const crossAttentions = blocks.flatMap((block) => block.crossAttentions ?? []);
      return {
        logits: languageModelHead(g, gather(g, last, inputs.logit_positions, 1), root, config),
        ...decoderOutputs(request, inputs.inputs_embeds, blocks, last),
        ...(request.attentions && layeredValues('cross_attentions', crossAttentions)),
      };
    },
  );
}

type KeyAndValue = Pick<AttentionInputs, 'key' | 'value'>;

/** The inputs that the signature declares for one block, under names that are composed at run time. */
function keyAndValue(inputs: Readonly<Record<string, Value>>, name: 'cross' | 'past', block: number): KeyAndValue {
  return { key: inputs[`${name}_key.${block}`] as F32, value: inputs[`${name}_value.${block}`] as F32 };
}

interface BlockContext {
  readonly bias: F32;
  readonly crossBias: F32;
  readonly cross: KeyAndValue;
  readonly past?: KeyAndValue;
  readonly probabilities: boolean;
}

interface BlockOutput extends DecoderLayerOutput {
  readonly crossAttentions: F32 | undefined;
}

/** `x += attention(norm(x)); x += crossAttention(norm(x)); x += ff(norm(x))`. */
function decoderBlock(
  g: Graph,
  x: F32,
  weights: Weights,
  config: Seq2SeqConfig,
  { bias, crossBias, past, cross, probabilities }: BlockContext,
): BlockOutput {
  return g.scope(weights.path, () => {
    const self = weights.at('layer.0.SelfAttention');
    const normed = t5Norm(g, x, weights.at('layer.0.layer_norm'), config);
    const key = t5Project(g, normed, 'k', self, config);
    const value = t5Project(g, normed, 'v', self, config);
    const attended = t5Attention(
      g,
      { query: t5Project(g, normed, 'q', self, config), key, value, bias, ...(past && { past }) },
      self,
      config,
      probabilities,
    );
    const y = add(g, x, attended.context);
    const encoder = weights.at('layer.1.EncDecAttention');
    const query = t5Project(g, t5Norm(g, y, weights.at('layer.1.layer_norm'), config), 'q', encoder, config);
    const crossed = t5Attention(g, { query, ...cross, bias: crossBias }, encoder, config, probabilities);
    const z = add(g, y, crossed.context);
    const hiddenStates = add(
      g,
      z,
      feedForward(
        g,
        t5Norm(g, z, weights.at('layer.2.layer_norm'), config),
        weights.at('layer.2.DenseReluDense'),
        config,
      ),
    );
    return { hiddenStates, key, value, attentions: attended.probabilities, crossAttentions: crossed.probabilities };
  });
}

/** Logits over the vocabulary: from the stored head, even if the configuration ties it, or from the token embedding. */
function languageModelHead(g: Graph, x: F32, root: Weights, config: Seq2SeqConfig): F32 {
  const { dModel, vocabSize, scaleDecoderOutputs } = config;
  const head = root.has('lm_head.weight') ? root.at('lm_head') : t5TokenEmbedding(root, config);
  return linear(g, scaleDecoderOutputs ? scale(g, x, dModel ** -0.5) : x, head, {
    inFeatures: dModel,
    outFeatures: vocabSize,
    bias: false,
  });
}
