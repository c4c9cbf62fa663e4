import { type ConversionOptions, type SaveOptions } from '@blip2/checkpoint';
import { LlamaConfig, readConfig, TextConfig, writePartConfig } from '@blip2/config';
import { type ResolveOptions, resolveSource } from '@blip2/hub';
import type { AttentionMask } from '@blip2/interfaces';
import type { WeightFinder } from '@blip2/onnx';
import {
  createRandomPartWeights,
  openPartWeights,
  type PartWeights,
  type RandomWeightsOptions,
  savePartWeights,
  transformerInitializer,
} from '@blip2/part';
import { lazySessions, type PartOptions } from '@blip2/runtime';

import { type CausalLanguageModel, createCausalLanguageModel, DECODING } from '../causal/causal-language-model.ts';
import { type LanguageGraphs, languageWeights, storesByRows } from '../language-weights.ts';
import { buildLlamaDecoder, buildLlamaEmbedding, llamaSizes, llamaTensors } from './llama-graph.ts';
import { rotations } from './rotations.ts';

/**
 * A model of the Llama architecture, Vicuna among them: the seam for decoding, and the full forward of the reference's
 * `LlamaForCausalLM`.
 * As in the reference, `forward` counts padding as positions, while decoding counts only what the mask lets count: a
 * row that is padded on the left has its scores of a row alone in decoding only.
 */
export interface LlamaForCausalLM extends CausalLanguageModel {
  readonly config: LlamaConfig;
  /** Writes configuration and weights of the language model alone in the hub layout. Streams. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
  dispose(): Promise<void>;
}

/** Puts a Llama model together from its configuration and weights. Nothing is loaded before it is used. */
export function createLlamaForCausalLM(
  config: LlamaConfig,
  weights: PartWeights,
  options: PartOptions = {},
): LlamaForCausalLM {
  const sessions = lazySessions('language model', options);
  const { prefix } = weights;
  const model = createCausalLanguageModel(
    {
      sizes: llamaSizes(config),
      maxPositions: config.maxPositionEmbeddings,
      specialTokens: TextConfig.specialTokens(config),
      outputDefaults: config,
      stores: storesByRows(weights),
      buildEmbedding: () => buildLlamaEmbedding(config, weights.original ?? weights.store, prefix),
      buildDecoder: (request, store) => buildLlamaDecoder(config, store, prefix, request),
      positionInputs: (mask, count, use) =>
        rotations(config, use === 'forward' ? everyPosition(mask, count) : countedPositions(mask, count)),
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
      await writePartConfig(folder, LlamaConfig.toJson(config), {
        modelType: config.modelType,
        architecture: ARCHITECTURE,
        dtype,
      });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Positions of the last `count` entries of each row, padding counted. */
function everyPosition(mask: AttentionMask, count: number): number[][] {
  return mask.map((row) => row.map((_, index) => index).slice(row.length - count));
}

/** Positions of the last `count` entries of each row, padding left out. Those of padding are never read. */
function countedPositions(mask: AttentionMask, count: number): number[][] {
  return mask.map((row) => {
    let seen = 0;
    return row.map((counts) => (counts ? seen++ : 0)).slice(row.length - count);
  });
}

/** Where the language model lies in a whole model's checkpoint. */
const PATH = 'language_model';
/** The reference's class for the language model alone. */
const ARCHITECTURE = 'LlamaForCausalLM';

async function fromPretrained(
  source: string,
  options: PartOptions & ResolveOptions & ConversionOptions = {},
): Promise<LlamaForCausalLM> {
  const folder = await resolveSource(source, options);
  const config = LlamaConfig.fromJson(await readConfig(folder), folder);
  return createLlamaForCausalLM(
    config,
    await atPrecision(config, await openPartWeights(folder, PATH), options),
    options,
  );
}

function atPrecision(
  config: LlamaConfig,
  weights: PartWeights,
  options: PartOptions & ConversionOptions,
): Promise<PartWeights> {
  return languageWeights(weights, options.dtype, llamaGraphs(config), PATH, options);
}

/** The graphs that write text. */
export function llamaGraphs(config: LlamaConfig): LanguageGraphs {
  const decoder = (finder: WeightFinder, prefix: string): void =>
    void buildLlamaDecoder(config, finder, prefix, DECODING);
  return { many: decoder, few: decoder };
}

async function fromConfig(
  config: LlamaConfig,
  options: RandomWeightsOptions & PartOptions = {},
): Promise<LlamaForCausalLM> {
  const { initializer = transformerInitializer(config.initializerRange) } = options;
  const weights = await createRandomPartWeights(llamaTensors(config, ''), initializer, options);
  return createLlamaForCausalLM(
    config,
    await atPrecision(config, weights, {
      ...(options.dtype && { dtype: options.dtype }),
      convertedDir: weights.store.folder,
    }),
    options,
  );
}

export const LlamaForCausalLM: {
  /**
   * Loads a Llama model from a folder in the Hugging Face layout, of a whole InstructBLIP or BLIP-2 model or of the
   * language model alone.
   */
  readonly fromPretrained: typeof fromPretrained;
  /** A Llama model with random weights, in a temporary file that goes away with it. */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
