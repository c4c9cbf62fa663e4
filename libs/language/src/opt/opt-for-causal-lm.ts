import { type ConversionOptions, type SaveOptions } from '@blip2/checkpoint';
import { OptConfig, readConfig, TextConfig, writePartConfig } from '@blip2/config';
import { type ResolveOptions, resolveSource } from '@blip2/hub';
import type { Tensor, TokenIds } from '@blip2/interfaces';
import type { WeightFinder } from '@blip2/onnx';
import {
  createRandomPartWeights,
  openPartWeights,
  type PartWeights,
  type RandomWeightsOptions,
  savePartWeights,
  transformerInitializer,
} from '@blip2/part';
import { lazySessions, type PartOptions, rowsTensor } from '@blip2/runtime';

import { type CausalLanguageModel, createCausalLanguageModel, DECODING } from '../causal/causal-language-model.ts';
import { type LanguageGraphs, languageWeights, storesByRows } from '../language-weights.ts';
import { buildOptDecoder, buildOptEmbedding, optSizes, optTensors, POSITION_OFFSET } from './opt-graph.ts';

/**
 * OPT with its language-model head: the seam for decoding, and the full forward of the reference's `OPTForCausalLM`.
 */
export interface OptForCausalLM extends CausalLanguageModel {
  readonly config: OptConfig;
  /** Writes configuration and weights of the language model alone in the hub layout. Streams. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
  dispose(): Promise<void>;
}

/** Puts an OPT model together from its configuration and weights. Nothing is loaded before it is used. */
export function createOptForCausalLM(
  config: OptConfig,
  weights: PartWeights,
  options: PartOptions = {},
): OptForCausalLM {
  const sessions = lazySessions('language model', options);
  const { prefix } = weights;
  const model = createCausalLanguageModel(
    {
      sizes: optSizes(config),
      maxPositions: config.maxPositionEmbeddings,
      specialTokens: TextConfig.specialTokens(config),
      outputDefaults: config,
      stores: storesByRows(weights),
      buildEmbedding: () => buildOptEmbedding(config, weights.original ?? weights.store, prefix),
      buildDecoder: (request, store) => buildOptDecoder(config, store, prefix, request),
      positionInputs: (mask, count) => ({ position_ids: positionRows(mask, count) }),
    },
    sessions,
  );
  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
    await weights[Symbol.asyncDispose]();
  };
  return {
    config,
    ...model,
    async savePretrained(folder, saveOptions) {
      const dtype = await savePartWeights(folder, weights, saveOptions);
      await writePartConfig(folder, OptConfig.toJson(config), {
        modelType: config.modelType,
        architecture: ARCHITECTURE,
        dtype,
      });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/**
 * Rows of the position table for the last `count` positions: only what counts is counted
 * (`OPTLearnedPositionalEmbedding`).
 */
function positionRows(mask: readonly TokenIds[], count: number): Tensor<'int64', [number, number]> {
  const rows = mask.map((row) => {
    let seen = 0;
    return row.map((counts) => (counts ? seen++ + POSITION_OFFSET : POSITION_OFFSET - 1)).slice(row.length - count);
  });
  return rowsTensor(rows, 'attentionMask');
}

/** Where the language model lies in a whole model's checkpoint. */
const PATH = 'language_model';
/** The reference's class for the language model alone. */
const ARCHITECTURE = 'OPTForCausalLM';

async function fromPretrained(
  source: string,
  options: PartOptions & ResolveOptions & ConversionOptions = {},
): Promise<OptForCausalLM> {
  const folder = await resolveSource(source, options);
  const config = OptConfig.fromJson(await readConfig(folder), folder);
  return createOptForCausalLM(config, await atPrecision(config, await openPartWeights(folder, PATH), options), options);
}

function atPrecision(
  config: OptConfig,
  weights: PartWeights,
  options: PartOptions & ConversionOptions,
): Promise<PartWeights> {
  return languageWeights(weights, options.dtype, optGraphs(config), PATH, options);
}

/** The graphs that write text. */
export function optGraphs(config: OptConfig): LanguageGraphs {
  const decoder = (finder: WeightFinder, prefix: string): void =>
    void buildOptDecoder(config, finder, prefix, DECODING);
  return { many: decoder, few: decoder };
}

async function fromConfig(
  config: OptConfig,
  options: RandomWeightsOptions & PartOptions = {},
): Promise<OptForCausalLM> {
  const { initializer = transformerInitializer(config.initStd) } = options;
  const weights = await createRandomPartWeights(optTensors(config, ''), initializer, options);
  return createOptForCausalLM(
    config,
    await atPrecision(config, weights, {
      ...(options.dtype && { dtype: options.dtype }),
      convertedDir: weights.store.folder,
    }),
    options,
  );
}

export const OptForCausalLM: {
  /** Loads OPT from a folder in the Hugging Face layout, of a whole BLIP-2 model or of the language model alone. */
  readonly fromPretrained: typeof fromPretrained;
  /** An OPT model with random weights, in a temporary file that goes away with it. */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
