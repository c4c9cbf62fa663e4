import type { Blip2QFormerConfig } from '@blip2/config';
import {
  type Attentions,
  Blip2Error,
  expectInputs,
  expectTensor,
  type HiddenStates,
  type InputsOf,
  type PatchFeatures,
  type QueryFeatures,
  repeatRow,
  type Rows,
  type Session,
  type Tensor,
} from '@blip2/interfaces';
import { layeredTensors } from '@blip2/onnx';
import { expectForwardOptions, type PartContext, sessionKey } from '@blip2/part';

import { expectPast, expectQueries } from './expect-qformer-inputs.ts';
import {
  buildQFormer,
  crossAttentionLayers,
  hasRelativePositions,
  type QFormerSignature,
} from './graph/qformer-graph.ts';
import type { QFormerRequest } from './graph/qformer-request.ts';
import { imageDistances, selfDistances } from './graph/relative-positions.ts';
import { anyMaskBias, isPairMask, type QFormerMask } from './mask-bias.ts';
import { expectQueryTokens, type QFormerWeights } from './query-tokens.ts';

type HeadStates = Tensor<'float32', readonly [batch: number, heads: number, positions: number, headSize: number]>;

/** Self-attention keys and values of one layer, `[batch, heads, positions, headSize]` each. */
export interface QFormerKeyValue {
  readonly key: HeadStates;
  readonly value: HeadStates;
}

export interface QFormerForwardInputs {
  /** `[batch, positions, hidden]`. Default: the learned queries for every row. */
  readonly queryEmbeds?: QueryFeatures;
  /** Number of leading positions that are queries, which attend to the image. The rest are text. Default: all. */
  readonly queryLength?: number;
  /**
   * `[batch, past + positions]`, or `[batch, positions, past + positions]` with one row per position. Default: no
   * padding.
   */
  readonly attentionMask?: QFormerMask;
  /** `[batch, patches, encoderHidden]`. Required if there are queries. */
  readonly encoderHiddenStates?: PatchFeatures;
  /** `[batch, patches]`. Default: no padding. */
  readonly encoderAttentionMask?: Rows;
  /**
   * Factors of the self- and cross-attention probabilities, `[heads]` for every layer or `[layers, heads]`. 0 disables
   * a head. Probabilities are not renormalized, and returned attentions do not include the factors. Removed from HF
   * after 4.57.
   */
  readonly headMask?: Tensor<'float32'>;
  /**
   * The `pastKeyValues` of an earlier call with `useCache`, one entry per layer. New positions attend to them; they
   * are not recomputed. The result equals one run over all positions under a causal mask. Removed from HF after 4.57.
   */
  readonly pastKeyValues?: readonly QFormerKeyValue[];
}

const INPUTS: Readonly<Record<keyof QFormerForwardInputs, true>> = {
  queryEmbeds: true,
  queryLength: true,
  attentionMask: true,
  encoderHiddenStates: true,
  encoderAttentionMask: true,
  headMask: true,
  pastKeyValues: true,
};
const PATCH_AXES: readonly string[] = ['batch', 'patches', 'encoderHidden'];
const QUERY_AXES: readonly string[] = ['batch', 'positions', 'hidden'];

export interface QFormerForwardOptions {
  readonly outputHiddenStates?: boolean;
  readonly outputAttentions?: boolean;
  /** Return `pastKeyValues` for later positions. Default false. */
  readonly useCache?: boolean;
}

export interface QFormerOutput {
  /** `[batch, positions, hidden]`. */
  readonly lastHiddenState: QueryFeatures;
  /** Position 0 of `lastHiddenState`, `[batch, hidden]`: HF has no pooling layer. */
  readonly poolerOutput: Tensor<'float32', readonly [batch: number, hidden: number]>;
  /** The embeddings after their norm, then the output of each layer. */
  readonly hiddenStates?: readonly HiddenStates[];
  /** Self-attention probabilities of each layer, `[batch, heads, positions, past + positions]`. */
  readonly attentions?: readonly Attentions[];
  /** Cross-attention probabilities of each layer that has cross-attention, `[batch, heads, queries, patches]`. */
  readonly crossAttentions?: readonly Attentions[];
  /** With `useCache`: keys and values of all positions so far, one entry per layer. */
  readonly pastKeyValues?: readonly QFormerKeyValue[];
}

type QFormerInputs = QFormerForwardInputs & { readonly queryEmbeds: QueryFeatures };
export type RequestedOutputs = Pick<QFormerRequest, 'hiddenStates' | 'attentions' | 'keyValues' | 'norm'>;
type QFormerContext = PartContext<Blip2QFormerConfig, QFormerWeights, object>;

const FORWARD_OPTIONS = ['outputHiddenStates', 'outputAttentions', 'useCache'] as const;

/** The outputs that options request, with the defaults of the configuration. */
export function requestedOutputs(config: Blip2QFormerConfig, options: QFormerForwardOptions = {}): RequestedOutputs {
  expectForwardOptions('forward of the Q-Former', options, FORWARD_OPTIONS);
  const { outputHiddenStates, outputAttentions, useCache = false } = options;
  return {
    hiddenStates: outputHiddenStates ?? config.outputHiddenStates,
    attentions: outputAttentions ?? config.outputAttentions,
    keyValues: useCache,
  };
}

/** Creates the session of `query` before its first use. */
export async function prepareQFormer(
  context: QFormerContext,
  content: Pick<RequestedOutputs, 'norm'> = {},
): Promise<void> {
  const { queryTokens } = context.weights;
  await openQFormer(
    context,
    requestOf({ queryEmbeds: queryTokens }, queryTokens.dims[1], { ...FINAL_STATES, ...content }),
  );
}

const FINAL_STATES: RequestedOutputs = { hiddenStates: false, attentions: false };

function openQFormer(
  { config, sessions, weights: { store, prefix } }: QFormerContext,
  request: QFormerRequest,
): Promise<Session<QFormerSignature>> {
  return sessions.get(sessionKey('qformer', { ...request }), () => buildQFormer(config, store, prefix, request));
}

/** Runs the graph for these inputs and outputs. Without `queryEmbeds`, the learned queries are used for every row. */
export async function runQFormer(
  context: QFormerContext,
  given: QFormerForwardInputs,
  requested: RequestedOutputs,
): Promise<QFormerOutput> {
  const { config } = context;
  expectInputs('forward of the Q-Former', given, Object.keys(INPUTS));
  const { encoderHiddenStates, queryEmbeds: givenQueries } = given;
  if (encoderHiddenStates !== undefined) expectTensor('encoderHiddenStates', encoderHiddenStates, PATCH_AXES);
  if (givenQueries !== undefined) expectTensor('queryEmbeds', givenQueries, QUERY_AXES);
  const rows = encoderHiddenStates?.dims[0] ?? 1;
  if (!givenQueries) expectQueryTokens(context.weights.queryTokens);
  const queryEmbeds = givenQueries ?? repeatRow<QueryFeatures>(context.weights.queryTokens, rows);
  const inputs = { ...given, queryEmbeds };
  const { queryLength = queryEmbeds.dims[1] } = inputs;
  expectQueries(queryLength, queryEmbeds, inputs.encoderHiddenStates);
  expectPast(config, queryLength, inputs.pastKeyValues);
  const request = requestOf(inputs, queryLength, requested);
  const session = await openQFormer(context, request);
  const outputs = await session.run(graphInputs(config, inputs, queryLength));
  const { numHiddenLayers } = config;
  const crossLayers = queryLength > 0 ? crossAttentionLayers(config).length : 0;
  return {
    lastHiddenState: outputs.last_hidden_state,
    poolerOutput: outputs.pooler_output,
    ...(request.hiddenStates && { hiddenStates: layeredTensors(outputs, 'hidden_states', numHiddenLayers + 1, 3) }),
    ...(request.attentions && {
      attentions: layeredTensors(outputs, 'attentions', numHiddenLayers, 4),
      crossAttentions: layeredTensors(outputs, 'cross_attentions', crossLayers, 4),
    }),
    ...(request.keyValues && {
      pastKeyValues: zip(
        layeredTensors(outputs, 'key', numHiddenLayers, 4),
        layeredTensors(outputs, 'value', numHiddenLayers, 4),
      ),
    }),
  };
}

function zip(keys: readonly HeadStates[], values: readonly HeadStates[]): QFormerKeyValue[] {
  return keys.flatMap((key, layer) => {
    const value = values[layer];
    return value ? [{ key, value }] : [];
  });
}

function requestOf(inputs: QFormerInputs, queryLength: number, requested: RequestedOutputs): QFormerRequest {
  const { attentionMask: mask } = inputs;
  return {
    ...requested,
    queryLength: queryLength === inputs.queryEmbeds.dims[1] ? 'all' : queryLength,
    masked: mask === undefined ? false : isPairMask(mask) ? 'pairs' : true,
    encoderMasked: inputs.encoderAttentionMask !== undefined,
    headMasked: inputs.headMask !== undefined,
    past: inputs.pastKeyValues !== undefined,
  };
}

function graphInputs(
  config: Blip2QFormerConfig,
  inputs: QFormerInputs,
  queryLength: number,
): InputsOf<QFormerSignature> {
  const {
    queryEmbeds,
    encoderHiddenStates: patches,
    attentionMask,
    encoderAttentionMask,
    headMask,
    pastKeyValues,
  } = inputs;
  const past = pastKeyValues?.[0]?.key.dims[2] ?? 0;
  const entries = (pastKeyValues ?? []).flatMap(
    ({ key, value }, layer) =>
      [
        [`past_key.${layer}`, key],
        [`past_value.${layer}`, value],
      ] as const,
  );
  return {
    query_embeds: queryEmbeds,
    ...(patches && { encoder_hidden_states: patches }),
    ...(attentionMask && { attention_bias: anyMaskBias(attentionMask) }),
    ...(encoderAttentionMask && { encoder_attention_bias: anyMaskBias(encoderAttentionMask) }),
    ...(headMask && { head_mask: everyLayer(config, headMask) }),
    ...(hasRelativePositions(config) && { distances: selfDistances(config, queryEmbeds.dims[1], past) }),
    ...(hasRelativePositions(config) &&
      patches &&
      queryLength > 0 && { image_distances: imageDistances(config, queryLength, patches.dims[1]) }),
    ...Object.fromEntries(entries),
  };
}

/** `[heads]` or `[layers, heads]` as `[layers, heads, 1, 1]`. */
function everyLayer(
  { numHiddenLayers: layers, numAttentionHeads: heads }: Blip2QFormerConfig,
  { dims, data }: Tensor<'float32'>,
): Tensor<'float32', [layers: number, heads: number, 1, 1]> {
  const one = dims.length === 1 && dims[0] === heads;
  if (!one && !(dims.length === 2 && dims[0] === layers && dims[1] === heads)) {
    throw new Blip2Error('SHAPE_MISMATCH', 'headMask has the wrong shape', {
      where: 'headMask',
      expected: `[${heads}] or [${layers}, ${heads}]`,
      got: `[${dims.join(', ')}]`,
    });
  }
  return {
    type: 'float32',
    dims: [layers, heads, 1, 1],
    data: Float32Array.from({ length: layers * heads }, (_, index) => data[one ? index % heads : index] ?? 0),
  };
}
