/**
 * The bridge between vision encoder and language model as one graph: query tokens, Q-Former and language projection
 * (arXiv 2301.12597, section 3).
 */
import type { Blip2QFormerConfig } from '@blip2/config';
import { Blip2Error, f32, i64 } from '@blip2/interfaces';
import {
  assumeAxes,
  composeGraph,
  type Composition,
  concat,
  expandBatch,
  type F32,
  gradients,
  type RecordedWeight,
  recordWeights,
  slice,
  trainedWeights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import { buildQFormer, hasRelativePositions } from '../graph/qformer-graph.ts';
import { PLAIN_REQUEST, type QFormerRequest } from '../graph/qformer-request.ts';
import { buildTextEmbeddings } from '../graph/text-embeddings-graph.ts';
import { buildLanguageProjection, type ProjectionSize } from '../heads/language-projection-graph.ts';
import { qformerLayout } from '../qformer-layout.ts';
import { QUERY_TOKENS } from '../query-tokens.ts';

/** A part of the bridge that can be trained. */
export type BridgePart = 'query_tokens' | 'qformer' | 'projection';

/** Path of the tensors of each part in a checkpoint. */
const PATHS: Readonly<Record<BridgePart, string>> = {
  query_tokens: QUERY_TOKENS,
  qformer: 'qformer',
  projection: 'language_projection',
};

/** All parts, in the order of the forward pass. */
export const BRIDGE_PARTS: readonly BridgePart[] = ['query_tokens', 'qformer', 'projection'];

/** Sizes of a bridge, and what of it is trained. */
export interface BridgePlan {
  /** The Q-Former of InstructBLIP has a text as input too. */
  readonly config: Blip2QFormerConfig;
  readonly numQueryTokens: number;
  /** `inFeatures` is the Q-Former's hidden size, `outFeatures` the width of the language model. */
  readonly projection: ProjectionSize;
  readonly trained: readonly BridgePart[];
}

/** Whether the Q-Former has a text as input: always in InstructBLIP, and if configured in BLIP-2. */
export function hasText({ modelType, useQformerTextInput }: Blip2QFormerConfig): boolean {
  return useQformerTextInput || modelType === 'instructblip_qformer';
}

/** Whether a tensor belongs to a trained part, by its name in the checkpoint of a full model. */
export function isTrainedTensor({ trained }: Pick<BridgePlan, 'trained'>, name: string): boolean {
  return trained.some((part) => name === PATHS[part] || name.startsWith(`${PATHS[part]}.`));
}

/** The tensors of the bridge that are trained, by name and shape. */
export function trainedTensors(plan: BridgePlan): RecordedWeight[] {
  const all = recordWeights((weights) => void buildBridge({ ...plan, trained: [] }, weights));
  return all.filter(({ name }) => isTrainedTensor(plan, name));
}

/** Image features to embeddings of the language model. Trained tensors are inputs under their names. */
export function buildBridge(plan: BridgePlan, weights: WeightSource): WrittenModel {
  return composeGraph('bridge', weightsOf(plan, weights), (composition) => ({
    inputs_embeds: embeddings(composition, plan),
  }));
}

/** Forward and backward: from `gradient`, that of the embeddings, to `gradient.<name>` of each trained tensor. */
export function buildBridgeGradient(plan: BridgePlan, weights: WeightSource): WrittenModel {
  return composeGraph('bridge_gradient', weightsOf(plan, weights), (composition) => {
    const value = embeddings(composition, plan);
    const gradient = composition.input('gradient', { type: 'float32', axes: value.axes });
    const trained = [...composition.trained];
    const found = gradients(
      composition.graph,
      [{ value, gradient }],
      trained.map(([, tensor]) => tensor),
    );
    return Object.fromEntries(trained.map(([name], index) => [`gradient.${name}`, found[index] as F32]));
  });
}

function weightsOf(plan: BridgePlan, weights: WeightSource): WeightSource {
  return trainedWeights(weights, (name) => isTrainedTensor(plan, name));
}

function embeddings(composition: Composition, plan: BridgePlan): F32 {
  const { config, numQueryTokens, projection } = plan;
  if (hasRelativePositions(config))
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'A Q-Former with relative positions cannot be trained', {
      expected: 'absolute positions',
      got: config.positionEmbeddingType,
    });
  const { write, graph, input } = composition;
  const features = input('encoder_hidden_states', f32('batch', 'patches', config.encoderHiddenSize));
  const tokens = composition.weights('').get(QUERY_TOKENS, [1, numQueryTokens, config.hiddenSize]);
  const queries = expandBatch(graph, tokens, features);
  const { norm } = qformerLayout(config);
  const text = hasText(config);
  const request: QFormerRequest = {
    ...PLAIN_REQUEST,
    queryLength: text ? numQueryTokens : 'all',
    masked: text,
    norm,
  };
  const positions = text ? concat(graph, [queries, textEmbeddings(composition, config)], 1) : queries;
  const { last_hidden_state: states } = write((weights) => buildQFormer(config, weights, PATHS.qformer, request), {
    query_embeds: positions,
    encoder_hidden_states: features,
  });
  const ofQueries = text ? slice(graph, states, 1, 0, numQueryTokens) : states;
  const { inputs_embeds } = write((weights) => buildLanguageProjection(projection, weights, PATHS.projection), {
    query_output: assumeAxes(ofQueries, ['batch', numQueryTokens, config.hiddenSize], 'these are the queries'),
  });
  return assumeAxes(inputs_embeds, ['batch', numQueryTokens, projection.outFeatures], 'these are the queries');
}

function textEmbeddings({ write, input }: Composition, config: Blip2QFormerConfig): F32 {
  const ids = i64('batch', 'text');
  return assumeAxes(
    write((weights) => buildTextEmbeddings(config, weights, qformerLayout(config).embeddings), {
      input_ids: input('input_ids', ids),
      position_ids: input('position_ids', ids),
    }).embeddings,
    ['batch', 'text', config.hiddenSize],
    'the text has other positions than queries and text together',
  );
}
