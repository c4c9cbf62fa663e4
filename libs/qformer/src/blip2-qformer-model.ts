import { type ConversionOptions, readTensor, type SaveOptions, tensorSource } from '@blip2/checkpoint';
import { Blip2Config, Blip2QFormerConfig, readConfig, writePartConfig } from '@blip2/config';
import { type ResolveOptions, resolveSource } from '@blip2/hub';
import { Blip2Error, type QFormer, type QueryFeatures, type Tensor } from '@blip2/interfaces';
import {
  convertPartWeights,
  createRandomPartWeights,
  type InitializeTensor,
  openPartWeights,
  type PartWeights,
  type RandomWeightsOptions,
  savePartWeights,
  transformerInitializer,
} from '@blip2/part';
import { lazySessions, type PartOptions } from '@blip2/runtime';

import { qformerTensors } from './graph/qformer-graph.ts';
import { planQFormer } from './plan-qformer.ts';
import {
  type AskedOutputs,
  type QFormerForwardInputs,
  type QFormerForwardOptions,
  type QFormerOutput,
  runQFormer,
} from './qformer-forward.ts';

/** The learned queries of a checkpoint, `[1, queries, hidden]`. */
export type QueryTokens = Tensor<'float32', readonly [one: 1, queries: number, hidden: number]>;

/** BLIP-2's Q-Former: the seam, and the full forward of the reference's `Blip2QFormerModel`. */
export interface Blip2QFormerModel extends QFormer {
  readonly config: Blip2QFormerConfig;
  readonly queryTokens: QueryTokens;
  /**
   * @throws Blip2Error `INVALID_ARGUMENT` if queries have no image to read; `SHAPE_MISMATCH`; with relative positions
   * `SEQUENCE_TOO_LONG`.
   */
  forward(inputs: QFormerForwardInputs, options?: QFormerForwardOptions): Promise<QFormerOutput>;
  /** Writes configuration, weights and queries of the Q-Former alone in the hub layout. Streams. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
  dispose(): Promise<void>;
}

/** Where the Q-Former and its queries lie in a whole model's checkpoint. */
const PATH = 'qformer';
const QUERY_TOKENS = 'query_tokens';
/** The reference's class for the Q-Former alone. */
const ARCHITECTURES: Readonly<Record<Blip2QFormerConfig['modelType'], string>> = {
  blip_2_qformer: 'Blip2QFormerModel',
  instructblip_qformer: 'InstructBlipQFormerModel',
};

/**
 * Puts a Q-Former together from its configuration, its queries and its weights. Nothing is loaded before it is used.
 */
export function createBlip2QFormerModel(
  config: Blip2QFormerConfig,
  queryTokens: QueryTokens,
  weights: PartWeights,
  options: PartOptions = {},
): Blip2QFormerModel {
  const sessions = lazySessions('Q-Former', options);
  const run = (inputs: QFormerForwardInputs, asked: AskedOutputs): Promise<QFormerOutput> =>
    runQFormer(
      sessions,
      config,
      weights,
      {
        ...inputs,
        queryEmbeds: inputs.queryEmbeds ?? repeatQueries(queryTokens, inputs.encoderHiddenStates?.dims[0] ?? 1),
      },
      asked,
    );
  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
    await weights[Symbol.asyncDispose]();
  };
  return {
    config,
    queryTokens,
    conditioning: 'none',
    numQueryTokens: queryTokens.dims[1],
    hiddenSize: config.hiddenSize,
    encoderHiddenSize: config.encoderHiddenSize,
    async query(patches) {
      return (await run({ encoderHiddenStates: patches }, { hiddenStates: false, attentions: false })).lastHiddenState;
    },
    forward: (inputs, { outputHiddenStates, outputAttentions, useCache = false } = {}) =>
      run(inputs, {
        hiddenStates: outputHiddenStates ?? config.outputHiddenStates,
        attentions: outputAttentions ?? config.outputAttentions,
        keyValues: useCache,
      }),
    async savePretrained(folder, saveOptions) {
      const dtype = await savePartWeights(folder, weights, saveOptions, [tensorSource(QUERY_TOKENS, queryTokens)]);
      await writePartConfig(folder, Blip2QFormerConfig.toJson(config), {
        modelType: config.modelType,
        architecture: ARCHITECTURES[config.modelType],
        dtype,
      });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** The same queries for every image: `[1, queries, hidden] → [batch, queries, hidden]`. */
export function repeatQueries({ dims: [, queries, hidden], data }: QueryTokens, batch: number): QueryFeatures {
  const repeated = new Float32Array(batch * data.length);
  for (let row = 0; row < batch; row++) repeated.set(data, row * data.length);
  return { type: 'float32', dims: [batch, queries, hidden], data: repeated };
}

async function fromPretrained(
  source: string,
  options: PartOptions & ResolveOptions & ConversionOptions = {},
): Promise<Blip2QFormerModel> {
  const folder = await resolveSource(source, options);
  const config = Blip2QFormerConfig.fromJson(await readConfig(folder), folder);
  const weights = await openPartWeights(folder, PATH);
  return createBlip2QFormerModel(
    config,
    await readQueryTokens(weights, config),
    await atPrecision(config, weights, options),
    options,
  );
}

function atPrecision(
  config: Blip2QFormerConfig,
  weights: PartWeights,
  options: PartOptions & ConversionOptions,
): Promise<PartWeights> {
  return convertPartWeights(weights, planQFormer(config, weights, options.dtype), PATH, options);
}

/** The queries beside a Q-Former's weights. */
export async function readQueryTokens(
  { store }: PartWeights,
  { hiddenSize }: Blip2QFormerConfig,
): Promise<QueryTokens> {
  const stored = store.tensors.get(QUERY_TOKENS);
  if (!stored)
    throw new Blip2Error('MISSING_WEIGHT', 'The checkpoint has no query tokens', {
      where: store.folder,
      expected: `${QUERY_TOKENS} [1, queries, ${hiddenSize}]`,
    });
  const { dims, data } = await readTensor(stored);
  const [one, queries, hidden] = dims;
  if (dims.length !== 3 || one !== 1 || queries === undefined || hidden !== hiddenSize || data.length === 0) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The query tokens have the wrong shape', {
      where: store.folder,
      expected: `[1, queries, ${hiddenSize}]`,
      got: `[${dims.join(', ')}]`,
    });
  }
  return { type: 'float32', dims: [1, queries, hidden], data };
}

export interface RandomQFormerOptions extends RandomWeightsOptions, PartOptions {
  /** Default: that of a whole model, 32. */
  readonly numQueryTokens?: number;
}

async function fromConfig(config: Blip2QFormerConfig, options: RandomQFormerOptions = {}): Promise<Blip2QFormerModel> {
  const { numQueryTokens = Blip2Config.create().numQueryTokens, initializer = referenceInitializer(config) } = options;
  if (!Number.isInteger(numQueryTokens) || numQueryTokens < 1) {
    throw new Blip2Error('INVALID_ARGUMENT', 'A Q-Former needs queries', {
      where: 'numQueryTokens',
      expected: 'a whole number above 0',
      got: String(numQueryTokens),
    });
  }
  const tensors = [
    { name: QUERY_TOKENS, shape: [1, numQueryTokens, config.hiddenSize] },
    ...qformerTensors(config, ''),
  ];
  const weights = await createRandomPartWeights(tensors, initializer, options);
  const forms = await atPrecision(config, weights, {
    ...(options.dtype && { dtype: options.dtype }),
    convertedDir: weights.store.folder,
  });
  return createBlip2QFormerModel(config, await readQueryTokens(weights, config), forms, options);
}

/** The reference's whole model begins with queries of zero; those of a trained one differ from each other. */
function referenceInitializer({ initializerRange }: Blip2QFormerConfig): InitializeTensor {
  const initialize = transformerInitializer(initializerRange);
  return (name, shape) => (name === QUERY_TOKENS ? { kind: 'zeros' } : initialize(name, shape));
}

export const Blip2QFormerModel: {
  /**
   * Loads the Q-Former and its queries from a folder in the Hugging Face layout, of a whole BLIP-2 model or as
   * `savePretrained` writes it.
   */
  readonly fromPretrained: typeof fromPretrained;
  /** A Q-Former with random weights, in a temporary file that goes away with it. */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
