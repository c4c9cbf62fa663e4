/**
 * The encoder of T5, mT5 and UMT5. HF class `T5Stack` of `T5ForConditionalGeneration`, …; checkpoint path `encoder`,
 * below `language_model` in a BLIP-2 checkpoint.
 */
import type { Seq2SeqConfig } from '@blip2/config';
import { f32, i64, type TensorSpec } from '@blip2/interfaces';
import {
  add,
  buildGraph,
  type F32,
  type Graph,
  layeredSpecs,
  layeredValues,
  splitHeads,
  type Weights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import { buildTokenEmbedding, type EmbeddingSignature } from '../token-embedding-graph.ts';
import { feedForward, positionBias, t5Attention, t5Norm, t5Project, t5TokenEmbedding } from './t5-layers.ts';

/** The token embedding of encoder and decoder. */
export function buildT5Embedding(
  config: Seq2SeqConfig,
  weights: WeightSource,
  prefix: string,
): WrittenModel<EmbeddingSignature> {
  const { vocabSize, dModel: embeddingSize } = config;
  const table = (root: Weights): Weights => t5TokenEmbedding(root, config);
  return buildTokenEmbedding({ name: 't5_embedding', vocabSize, embeddingSize, table }, weights, prefix);
}

/** What an encoder or decoder graph has as outputs in addition to its final hidden states. */
export interface T5StackRequest {
  readonly hiddenStates: boolean;
  readonly attentions: boolean;
}

export interface T5EncoderSignature {
  readonly inputs: {
    readonly inputs_embeds: TensorSpec<'float32', readonly ['batch', 'source', number]>;
    /** Rows of the relative position embedding. */
    readonly relative_buckets: TensorSpec<'int64', readonly ['source', 'source']>;
    readonly attention_bias: TensorSpec<'float32', readonly ['batch', 1, 1, 'source']>;
  };
  readonly outputs: {
    readonly last_hidden_state: TensorSpec<'float32', readonly ['batch', 'source', number]>;
  } & Readonly<Record<string, TensorSpec<'float32'>>>;
}

export function t5EncoderSignature(
  { dModel, numLayers, numHeads }: Seq2SeqConfig,
  { hiddenStates, attentions }: T5StackRequest,
): T5EncoderSignature {
  const states = f32('batch', 'source', dModel);
  return {
    inputs: {
      inputs_embeds: states,
      relative_buckets: i64('source', 'source'),
      attention_bias: f32('batch', 1, 1, 'source'),
    },
    outputs: {
      last_hidden_state: states,
      ...(hiddenStates && layeredSpecs('hidden_states', numLayers + 1, states)),
      ...(attentions && layeredSpecs('attentions', numLayers, f32('batch', numHeads, 'source', 'source'))),
    },
  };
}

export function buildT5Encoder(
  config: Seq2SeqConfig,
  weights: WeightSource,
  prefix: string,
  request: T5StackRequest,
): WrittenModel<T5EncoderSignature> {
  return buildGraph(
    { name: 't5_encoder', signature: t5EncoderSignature(config, request), weights, prefix },
    (g, inputs, root) => {
      const stack = root.at('encoder');
      const states: F32[] = [inputs.inputs_embeds];
      const maps: F32[] = [];
      let x: F32 = inputs.inputs_embeds;
      let bias: F32 | undefined;
      for (let block = 0; block < config.numLayers; block++) {
        const weights = stack.at(`block.${block}`);
        const biased = { buckets: inputs.relative_buckets, mask: inputs.attention_bias, before: bias };
        bias = positionBias(g, biased, weights, config);
        const output = encoderBlock(g, x, bias, weights, config, request.attentions);
        x = output.states;
        states.push(x);
        if (output.probabilities) maps.push(output.probabilities);
      }
      const last = t5Norm(g, x, stack.at('final_layer_norm'), config);
      return {
        last_hidden_state: last,
        ...(request.hiddenStates && layeredValues('hidden_states', [...states.slice(0, -1), last])),
        ...(request.attentions && layeredValues('attentions', maps)),
      };
    },
  );
}

/** `x += attention(norm(x)); x += ff(norm(x))`. */
function encoderBlock(
  g: Graph,
  x: F32,
  bias: F32,
  weights: Weights,
  config: Seq2SeqConfig,
  probabilities: boolean,
): { readonly states: F32; readonly probabilities: F32 | undefined } {
  return g.scope(weights.path, () => {
    const self = weights.at('layer.0.SelfAttention');
    const normed = t5Norm(g, x, weights.at('layer.0.layer_norm'), config);
    const project = (name: 'q' | 'k' | 'v'): F32 => t5Project(g, normed, name, self, config);
    const attended = t5Attention(
      g,
      { query: project('q'), key: project('k'), value: project('v'), bias },
      self,
      config,
      probabilities,
    );
    const y = add(g, x, attended.context);
    const states = add(
      g,
      y,
      feedForward(
        g,
        t5Norm(g, y, weights.at('layer.1.layer_norm'), config),
        weights.at('layer.1.DenseReluDense'),
        config,
      ),
    );
    return { states, probabilities: attended.probabilities };
  });
}

export interface T5CrossSignature {
  readonly inputs: { readonly encoder_hidden_states: TensorSpec<'float32', readonly ['batch', 'source', number]> };
  readonly outputs: Readonly<Record<string, TensorSpec<'float32'>>>;
}

/**
 * Keys and values of every layer's cross-attention, split into heads. They depend on the encoder's hidden states only
 * and are computed once per prompt.
 */
export function buildT5Cross(
  config: Seq2SeqConfig,
  weights: WeightSource,
  prefix: string,
): WrittenModel<T5CrossSignature> {
  const { dModel, numHeads, dKv, numDecoderLayers: layers } = config;
  const perHead = f32('batch', numHeads, 'source', dKv);
  const signature: T5CrossSignature = {
    inputs: { encoder_hidden_states: f32('batch', 'source', dModel) },
    outputs: { ...layeredSpecs('cross_key', layers, perHead), ...layeredSpecs('cross_value', layers, perHead) },
  };
  return buildGraph({ name: 't5_cross', signature, weights, prefix }, (g, { encoder_hidden_states: states }, root) => {
    const project =
      (name: 'k' | 'v') =>
      (_: unknown, block: number): F32 => {
        const cross = root.at(`decoder.block.${block}.layer.1.EncDecAttention`);
        return g.scope(cross.path, () => splitHeads(g, t5Project(g, states, name, cross, config), numHeads));
      };
    return {
      ...layeredValues('cross_key', Array.from({ length: layers }, project('k'))),
      ...layeredValues('cross_value', Array.from({ length: layers }, project('v'))),
    };
  });
}
