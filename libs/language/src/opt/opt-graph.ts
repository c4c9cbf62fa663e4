/**
 * OPT: a decoder-only transformer with learned positions (arXiv 2205.01068).
 * Reference class `OPTForCausalLM`; checkpoint path `model.decoder`, under `language_model` in a BLIP-2 repository.
 */
import type { OptConfig } from '@blip2/config';
import { f32, i64, type TensorSpec, type WeightStore } from '@blip2/interfaces';
import {
  activation,
  add,
  attention,
  type AttentionInputs,
  buildGraph,
  embedding,
  gather,
  type Graph,
  layeredValues,
  layerNorm,
  linear,
  type RecordedWeight,
  recordWeights,
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
const WORD_TABLE = 'model.decoder.embed_tokens';
/** Row 0 of the reference's table is unused, row 1 is that of padding; position 0 is row 2. */
export const POSITION_OFFSET = 2;
/** PyTorch's default, which `OPTDecoderLayer` leaves as it is. */
const LAYER_NORM_EPSILON = 1e-5;

/** Word embeddings alone: they are looked up before image features take their places among them. */
export function buildOptEmbedding(
  { vocabSize, wordEmbedProjDim, tieWordEmbeddings }: OptConfig,
  weights: WeightStore | WeightFinder,
  prefix: string,
): WrittenModel<EmbeddingSignature> {
  const signature = {
    inputs: { input_ids: i64('batch', 'sequence') },
    outputs: { inputs_embeds: f32('batch', 'sequence', wordEmbedProjDim) },
  };
  return buildGraph({ name: 'opt_embedding', signature, weights, prefix }, (g, { input_ids }, root) => ({
    inputs_embeds: embedding(g, input_ids, wordTable(root, WORD_TABLE, tieWordEmbeddings), {
      numEmbeddings: vocabSize,
      embeddingSize: wordEmbedProjDim,
    }),
  }));
}

export interface OptSignature extends CausalSignature {
  readonly inputs: CausalSignature['inputs'] & {
    /** Rows of the position table. */
    readonly position_ids: TensorSpec<'int64', readonly ['batch', 'sequence']>;
  };
}

export function optSizes({
  numHiddenLayers: layers,
  numAttentionHeads: heads,
  hiddenSize,
  wordEmbedProjDim: embeddingSize,
  vocabSize,
}: OptConfig): CausalSizes {
  return { layers, heads, keyValueHeads: heads, headSize: hiddenSize / heads, hiddenSize, embeddingSize, vocabSize };
}

export function optSignature(config: OptConfig, request: CausalRequest): OptSignature {
  const { inputs, outputs } = causalSignature(optSizes(config), request);
  return { inputs: { ...inputs, position_ids: i64('batch', 'sequence') }, outputs };
}

export function buildOptDecoder(
  config: OptConfig,
  weights: WeightStore | WeightFinder,
  prefix: string,
  request: CausalRequest,
): WrittenModel<OptSignature> {
  return buildGraph(
    { name: 'opt_decoder', signature: optSignature(config, request), weights, prefix },
    (g, inputs, root) => {
      const decoder = root.at('model.decoder');
      const layers: LayerOutput[] = [];
      let x = optEmbeddings(g, inputs.inputs_embeds, inputs.position_ids, decoder, config);
      const states = [x];
      for (let layer = 0; layer < config.numHiddenLayers; layer++) {
        const pastKey = inputs[`past_key.${layer}`] as F32 | undefined;
        const pastValue = inputs[`past_value.${layer}`] as F32 | undefined;
        const output = decoderLayer(g, x, decoder.at(`layers.${layer}`), config, {
          probabilities: request.attentions,
          bias: inputs.attention_bias,
          ...(pastKey && pastValue && { past: { key: pastKey, value: pastValue } }),
        });
        layers.push(output);
        x = output.states;
        states.push(x);
      }
      const last = finalStates(g, x, decoder, config);
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

/** Positions are added in the hidden width, after `project_in` where words are narrower (opt-350m). */
function optEmbeddings(
  g: Graph,
  inputsEmbeds: F32,
  positionIds: Value<'int64'>,
  decoder: Weights,
  { hiddenSize, wordEmbedProjDim, maxPositionEmbeddings }: OptConfig,
): F32 {
  const words =
    wordEmbedProjDim === hiddenSize
      ? inputsEmbeds
      : linear(g, inputsEmbeds, decoder.at('project_in'), {
          inFeatures: wordEmbedProjDim,
          outFeatures: hiddenSize,
          bias: false,
        });
  const positions = embedding(g, positionIds, decoder.at('embed_positions'), {
    numEmbeddings: maxPositionEmbeddings + POSITION_OFFSET,
    embeddingSize: hiddenSize,
  });
  return add(g, words, positions);
}

interface LayerOutput {
  readonly states: F32;
  readonly key: F32;
  readonly value: F32;
  readonly probabilities: F32 | undefined;
}

interface LayerContext extends Pick<AttentionInputs, 'bias' | 'past'> {
  readonly probabilities: boolean;
}

/** `x += out(attention(norm(x))); x += fc2(act(fc1(norm(x))))`, or with the norms after the sums (opt-350m). */
function decoderLayer(
  g: Graph,
  x: F32,
  weights: Weights,
  config: OptConfig,
  { bias, past, probabilities }: LayerContext,
): LayerOutput {
  const { hiddenSize, ffnDim, numAttentionHeads: numHeads, doLayerNormBefore, enableBias, activationFunction } = config;
  const norm = (value: F32, name: string): F32 =>
    layerNorm(g, value, weights.at(name), { epsilon: LAYER_NORM_EPSILON, affine: config.layerNormElementwiseAffine });
  const project = (value: F32, name: string, inFeatures: number, outFeatures: number): F32 =>
    linear(g, value, weights.at(name), { inFeatures, outFeatures, bias: enableBias });
  const before = (value: F32, name: string): F32 => (doLayerNormBefore ? norm(value, name) : value);
  const after = (value: F32, name: string): F32 => (doLayerNormBefore ? value : norm(value, name));

  return g.scope(weights.path, () => {
    const normed = before(x, 'self_attn_layer_norm');
    const query = project(normed, 'self_attn.q_proj', hiddenSize, hiddenSize);
    const key = project(normed, 'self_attn.k_proj', hiddenSize, hiddenSize);
    const value = project(normed, 'self_attn.v_proj', hiddenSize, hiddenSize);
    const attended = attention(
      g,
      { query, key, value, ...(bias && { bias }), ...(past && { past }) },
      { numHeads, probabilities },
    );
    const y = after(
      add(g, x, project(attended.context, 'self_attn.out_proj', hiddenSize, hiddenSize)),
      'self_attn_layer_norm',
    );
    const wide = activation(g, project(before(y, 'final_layer_norm'), 'fc1', hiddenSize, ffnDim), activationFunction);
    const states = after(add(g, y, project(wide, 'fc2', ffnDim, hiddenSize)), 'final_layer_norm');
    return { states, key, value, probabilities: attended.probabilities };
  });
}

function finalStates(
  g: Graph,
  x: F32,
  decoder: Weights,
  {
    hiddenSize,
    wordEmbedProjDim,
    doLayerNormBefore,
    removeFinalLayerNorm,
    layerNormElementwiseAffine: affine,
  }: OptConfig,
): F32 {
  const normed =
    doLayerNormBefore && !removeFinalLayerNorm
      ? layerNorm(g, x, decoder.at('final_layer_norm'), { epsilon: LAYER_NORM_EPSILON, affine })
      : x;
  return wordEmbedProjDim === hiddenSize
    ? normed
    : linear(g, normed, decoder.at('project_out'), {
        inFeatures: hiddenSize,
        outFeatures: wordEmbedProjDim,
        bias: false,
      });
}

/** Scores over the vocabulary. A tied head may be left out of the file. */
function languageModelHead(
  g: Graph,
  x: F32,
  root: Weights,
  { wordEmbedProjDim, vocabSize, tieWordEmbeddings }: OptConfig,
): F32 {
  return linear(g, x, headTable(root, WORD_TABLE, tieWordEmbeddings), {
    inFeatures: wordEmbedProjDim,
    outFeatures: vocabSize,
    bias: false,
  });
}

/** Every tensor of OPT's checkpoint, by name and shape; a head that is tied to the embedding is none. */
export function optTensors(config: OptConfig, prefix: string): RecordedWeight[] {
  const request = { cache: false, lastHiddenState: false, hiddenStates: false, attentions: false };
  return recordWeights((weights) => {
    buildOptEmbedding(config, weights, prefix);
    buildOptDecoder(config, weights, prefix, request);
  });
}
