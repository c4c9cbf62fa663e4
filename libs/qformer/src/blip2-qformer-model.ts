import { tensorSource } from '@blip2/checkpoint';
import { Blip2Config, Blip2QFormerConfig } from '@blip2/config';
import { mustBe, type QFormer } from '@blip2/interfaces';
import {
  definePart,
  type InitializeTensor,
  type Part,
  type PartContext,
  type PartWeights,
  type RandomWeightsOptions,
  type StandalonePart,
  transformerInitializer,
} from '@blip2/part';
import type { PartOptions } from '@blip2/runtime';

import { exportQueries } from './graph/exported-qformer.ts';
import { buildWholeQFormer, type QFormerContent, qformerTensors } from './graph/qformer-graph.ts';
import {
  prepareQFormer,
  type QFormerForwardInputs,
  type QFormerForwardOptions,
  type QFormerOutput,
  requestedOutputs,
  runQFormer,
} from './qformer-forward.ts';
import { blip2QFormerLayout, qformerLayout } from './qformer-layout.ts';
import {
  expectQueryTokens,
  type QFormerWeights,
  QUERY_TOKENS,
  type QueryTokens,
  readQueryTokens,
} from './query-tokens.ts';

/** BLIP-2's Q-Former: the seam, and the full forward of HF `Blip2QFormerModel`. */
export interface Blip2QFormerModel extends QFormer, StandalonePart<Blip2QFormerConfig> {
  readonly queryTokens: QueryTokens;
  /**
   * @throws Blip2Error `INVALID_ARGUMENT` if there are queries but no `encoderHiddenStates`; `SHAPE_MISMATCH`; with
   * relative positions `SEQUENCE_TOO_LONG`.
   */
  forward(inputs: QFormerForwardInputs, options?: QFormerForwardOptions): Promise<QFormerOutput>;
}

export interface QueryOptions {
  /** Number of queries of a model with random weights. Default: that of a full BLIP-2 model, 32. */
  readonly numQueryTokens?: number;
}

export interface RandomQFormerOptions extends RandomWeightsOptions, PartOptions, QueryOptions {}

export const Blip2QFormerModel: Part<Blip2QFormerConfig, Blip2QFormerModel, QFormerWeights, QueryOptions> = definePart({
  label: 'Q-Former',
  path: 'qformer',
  siblings: ['query_tokens'],
  ownOptions: ['numQueryTokens'],
  architectures: { blip_2_qformer: 'Blip2QFormerModel', instructblip_qformer: 'InstructBlipQFormerModel' },
  config: Blip2QFormerConfig,
  tensors: (config, prefix, { numQueryTokens = Blip2Config.create().numQueryTokens }: QueryOptions) => [
    { name: QUERY_TOKENS, shape: [1, expectQueries(numQueryTokens), config.hiddenSize] },
    ...qformerTensors(config, prefix, normOf(config)),
  ],
  initializer: qformerInitializer,
  plan: { graphs: (config, weights, prefix) => buildWholeQFormer(config, weights, prefix, normOf(config)) },
  extend: async (weights, config): Promise<QFormerWeights> => ({
    ...weights,
    queryTokens: await readQueryTokens(weights, config),
  }),
  savedExtras: ({ queryTokens }) => (queryTokens.dims[1] > 0 ? [tensorSource(QUERY_TOKENS, queryTokens)] : []),
  exportGraphs: ({ config, weights }) => {
    expectQueryTokens(weights.queryTokens);
    const model = exportQueries({ config, weights, queryTokens: weights.queryTokens, ...normOf(config) });
    return [{ name: 'qformer_model', model }];
  },
  create: qformerMembers,
  prepare: (context) => prepareQFormer(context, normOf(context.config)),
});

function qformerMembers(
  context: PartContext<Blip2QFormerConfig, QFormerWeights, QueryOptions>,
): Omit<Blip2QFormerModel, keyof StandalonePart<Blip2QFormerConfig>> {
  const {
    config,
    weights: { queryTokens },
  } = context;
  return {
    queryTokens,
    conditioning: 'none',
    numQueryTokens: queryTokens.dims[1],
    hiddenSize: config.hiddenSize,
    encoderHiddenSize: config.encoderHiddenSize,
    async query(patches) {
      const outputs = { hiddenStates: false, attentions: false, ...normOf(config) };
      return (await runQFormer(context, { encoderHiddenStates: patches }, outputs)).lastHiddenState;
    },
    forward: async (inputs, options) =>
      runQFormer(context, inputs, { ...requestedOutputs(config, options), ...normOf(config) }),
  };
}

/** Creates a Q-Former from its configuration, queries and weights. Nothing is loaded before its first use. */
export function createBlip2QFormerModel(
  config: Blip2QFormerConfig,
  queryTokens: QueryTokens,
  weights: PartWeights,
  options?: PartOptions,
): Blip2QFormerModel {
  return Blip2QFormerModel.create(config, { ...weights, queryTokens }, options);
}

/** Path of the first norm; absent if it is the default. InstructBLIP's belongs to its embeddings. */
function normOf(config: Blip2QFormerConfig): Pick<QFormerContent, 'norm'> {
  const { norm } = qformerLayout(config);
  return norm === blip2QFormerLayout.norm ? {} : { norm };
}

function expectQueries(numQueryTokens: number): number {
  if (Number.isInteger(numQueryTokens) && numQueryTokens >= 1) return numQueryTokens;
  throw mustBe('numQueryTokens', 'a positive integer', numQueryTokens);
}

/** HF initializes query tokens with zeros; trained ones differ from each other. */
function qformerInitializer({ initializerRange }: Blip2QFormerConfig): InitializeTensor {
  const initialize = transformerInitializer(initializerRange);
  return (name, shape) => (name === QUERY_TOKENS ? { kind: 'zeros' } : initialize(name, shape));
}
