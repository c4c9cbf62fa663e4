/**
 * Llama: a decoder-only transformer with rotary positions, root-mean-square norms and a gated feed-forward (arXiv
 * 2302.13971; shared keys and values: arXiv 2305.13245).
 * Reference class `LlamaForCausalLM`; checkpoint path `model`, under `language_model` in an InstructBLIP repository.
 */
import type { LlamaConfig } from '@blip2/config';
import { f32, i64, type TensorSpec, type WeightStore } from '@blip2/interfaces';
import {
  activation,
  add,
  attention,
  type AttentionInputs,
  type AttentionOutputs,
  buildGraph,
  concat,
  embedding,
  gather,
  type Graph,
  layeredValues,
  linear,
  mul,
  type RecordedWeight,
  recordWeights,
  reshape,
  rmsNorm,
  rotaryEmbedding,
  type Rotations,
  splitHeads,
  type Value,
  type WeightFinder,
  type Weights,
  type WrittenModel,
} from '@blip2/onnx';

import {
  type CausalRequest,
  type CausalSignature,
  causalSignature,
  type CausalSizes,
  type EmbeddingSignature,
} from '../causal/causal-signature.ts';
import { headTable, wordTable } from '../tied-embedding.ts';

type F32 = Value<'float32'>;
const WORD_TABLE = 'model.embed_tokens';

/** Word embeddings alone: they are looked up before image features take their places among them. */
export function buildLlamaEmbedding(
  { vocabSize, hiddenSize, tieWordEmbeddings }: LlamaConfig,
  weights: WeightStore | WeightFinder,
  prefix: string,
): WrittenModel<EmbeddingSignature> {
  const signature = {
    inputs: { input_ids: i64('batch', 'sequence') },
    outputs: { inputs_embeds: f32('batch', 'sequence', hiddenSize) },
  };
  return buildGraph({ name: 'llama_embedding', signature, weights, prefix }, (g, { input_ids }, root) => ({
    inputs_embeds: embedding(g, input_ids, wordTable(root, WORD_TABLE, tieWordEmbeddings), {
      numEmbeddings: vocabSize,
      embeddingSize: hiddenSize,
    }),
  }));
}

export interface LlamaSignature extends CausalSignature {
  readonly inputs: CausalSignature['inputs'] & {
    /** Row of the rotations for each position. */
    readonly rotation_rows: TensorSpec<'int64', readonly ['batch', 'sequence']>;
    readonly rotation_cos: TensorSpec<'float32', readonly ['rotations', number]>;
    readonly rotation_sin: TensorSpec<'float32', readonly ['rotations', number]>;
  };
}

export function llamaSizes({
  numHiddenLayers: layers,
  numAttentionHeads: heads,
  numKeyValueHeads: keyValueHeads,
  headDim: headSize,
  hiddenSize,
  vocabSize,
}: LlamaConfig): CausalSizes {
  return { layers, heads, keyValueHeads, headSize, hiddenSize, embeddingSize: hiddenSize, vocabSize };
}

export function llamaSignature(config: LlamaConfig, request: CausalRequest): LlamaSignature {
  const { inputs, outputs } = causalSignature(llamaSizes(config), request);
  const rotation = f32('rotations', config.headDim / 2);
  return {
    inputs: { ...inputs, rotation_rows: i64('batch', 'sequence'), rotation_cos: rotation, rotation_sin: rotation },
    outputs,
  };
}

export function buildLlamaDecoder(
  config: LlamaConfig,
  weights: WeightStore | WeightFinder,
  prefix: string,
  request: CausalRequest,
): WrittenModel<LlamaSignature> {
  return buildGraph(
    { name: 'llama_decoder', signature: llamaSignature(config, request), weights, prefix },
    (g, inputs, root) => {
      const rotations = { rows: inputs.rotation_rows, cos: inputs.rotation_cos, sin: inputs.rotation_sin };
      const layers: LayerOutput[] = [];
      let x: F32 = inputs.inputs_embeds;
      const states = [x];
      for (let layer = 0; layer < config.numHiddenLayers; layer++) {
        const pastKey = inputs[`past_key.${layer}`] as F32 | undefined;
        const pastValue = inputs[`past_value.${layer}`] as F32 | undefined;
        const output = decoderLayer(g, x, root.at(`model.layers.${layer}`), config, {
          rotations,
          probabilities: request.attentions,
          bias: inputs.attention_bias,
          ...(pastKey && pastValue && { past: { key: pastKey, value: pastValue } }),
        });
        layers.push(output);
        x = output.states;
        states.push(x);
      }
      const last = rmsNorm(g, x, root.at('model.norm'), { epsilon: config.rmsNormEps });
      const all = (pick: (layer: LayerOutput) => F32 | undefined): F32[] =>
        layers.flatMap((layer) => pick(layer) ?? []);
      return {
        logits: languageModelHead(g, gather(g, last, inputs.logit_positions, 1), root, config),
        ...(request.cache && {
          ...layeredValues(
            'new_key',
            all(({ key }) => key),
          ),
          ...layeredValues(
            'new_value',
            all(({ value }) => value),
          ),
        }),
        ...(request.lastHiddenState && { last_hidden_state: last }),
        ...(request.hiddenStates && layeredValues('hidden_states', [...states.slice(0, -1), last])),
        ...(request.attentions &&
          layeredValues(
            'attentions',
            all(({ probabilities }) => probabilities),
          )),
      };
    },
  );
}

interface LayerOutput {
  readonly states: F32;
  /** Turned by their positions, as they are cached. */
  readonly key: F32;
  readonly value: F32;
  readonly probabilities: F32 | undefined;
}

interface LayerContext extends Pick<AttentionInputs, 'bias' | 'past'> {
  readonly rotations: Rotations;
  readonly probabilities: boolean;
}

/** `x += o(attention(rotate(norm(x)))); x += down(act(gate(norm(x))) · up(norm(x)))`. */
function decoderLayer(
  g: Graph,
  x: F32,
  weights: Weights,
  config: LlamaConfig,
  { rotations, bias, past, probabilities }: LayerContext,
): LayerOutput {
  const { hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads, headDim, rmsNormEps: epsilon } = config;
  return g.scope(weights.path, () => {
    const self = weights.at('self_attn');
    const normed = rmsNorm(g, x, weights.at('input_layernorm'), { epsilon });
    const project = (name: string, heads: number): F32 =>
      linear(g, normed, self.at(name), {
        inFeatures: hiddenSize,
        outFeatures: heads * headDim,
        bias: config.attentionBias,
      });
    const query = rotaryEmbedding(g, project('q_proj', numAttentionHeads), rotations);
    const key = rotaryEmbedding(g, project('k_proj', numKeyValueHeads), rotations);
    const value = project('v_proj', numKeyValueHeads);
    const attended = groupedAttention(
      g,
      { query, key, value, ...(bias && { bias }), ...(past && { past }) },
      config,
      probabilities,
    );
    const y = add(
      g,
      x,
      linear(g, attended.context, self.at('o_proj'), {
        inFeatures: numAttentionHeads * headDim,
        outFeatures: hiddenSize,
        bias: config.attentionBias,
      }),
    );
    const mlp = weights.at('mlp');
    const read = rmsNorm(g, y, weights.at('post_attention_layernorm'), { epsilon });
    const widen = (name: string): F32 =>
      linear(g, read, mlp.at(name), { inFeatures: hiddenSize, outFeatures: intermediateSize, bias: config.mlpBias });
    const gated = mul(g, activation(g, widen('gate_proj'), config.hiddenAct), widen('up_proj'));
    const states = add(
      g,
      y,
      linear(g, gated, mlp.at('down_proj'), {
        inFeatures: intermediateSize,
        outFeatures: hiddenSize,
        bias: config.mlpBias,
      }),
    );
    return { states, key, value, probabilities: attended.probabilities };
  });
}

/** Attention whose heads of keys and values are each read by a group of query heads, one after another. */
function groupedAttention(
  g: Graph,
  { query, key, value, past, bias }: AttentionInputs,
  { numAttentionHeads: numHeads, numKeyValueHeads, headDim }: LlamaConfig,
  probabilities: boolean,
): AttentionOutputs {
  const group = numHeads / numKeyValueHeads;
  if (group === 1)
    return attention(
      g,
      { query, key, value, ...(bias && { bias }), ...(past && { past }) },
      { numHeads, probabilities },
    );
  const spread = (fresh: F32, earlier: F32 | undefined): F32 => {
    const heads = splitHeads(g, fresh, numKeyValueHeads);
    const all = earlier ? concat(g, [earlier, heads], 2) : heads;
    const one = reshape(g, all, [0, numKeyValueHeads, 1, -1, headDim], 'keys');
    const repeated = concat(g, [one, ...new Array<F32>(group - 1).fill(one)], 2);
    return {
      ...reshape(g, repeated, [0, numHeads, -1, headDim], 'keys'),
      axes: [all.axes[0] ?? 'batch', numHeads, all.axes[2] ?? 'keys', headDim],
    };
  };
  return attention(
    g,
    { query, key: spread(key, past?.key), value: spread(value, past?.value), ...(bias && { bias }) },
    { numHeads, probabilities },
  );
}

/** Scores over the vocabulary. A tied head is left out of the file. */
function languageModelHead(
  g: Graph,
  x: F32,
  root: Weights,
  { hiddenSize, vocabSize, tieWordEmbeddings }: LlamaConfig,
): F32 {
  return linear(g, x, headTable(root, WORD_TABLE, tieWordEmbeddings), {
    inFeatures: hiddenSize,
    outFeatures: vocabSize,
    bias: false,
  });
}

/** Every tensor of Llama's checkpoint, by name and shape. */
export function llamaTensors(config: LlamaConfig, prefix: string): RecordedWeight[] {
  return recordWeights((weights) => {
    buildLlamaEmbedding(config, weights, prefix);
    buildLlamaDecoder(config, weights, prefix, {
      cache: false,
      lastHiddenState: false,
      hiddenStates: false,
      attentions: false,
    });
  });
}
