import { type ConversionOptions, type SaveOptions } from '@blip2/checkpoint';
import { readConfig, T5Config, TextConfig, writePartConfig } from '@blip2/config';
import { type ResolveOptions, resolveSource } from '@blip2/hub';
import type { Decoding, LanguageModel, Prompt } from '@blip2/interfaces';
import type { WeightFinder } from '@blip2/onnx';
import {
  createRandomPartWeights,
  openPartWeights,
  type PartWeights,
  type RandomWeightsOptions,
  savePartWeights,
} from '@blip2/part';
import { lazySessions, type PartOptions } from '@blip2/runtime';

import { expectPrompt } from '../decoding/expect-prompt.ts';
import { startSeq2SeqDecoding } from '../decoding/seq2seq-decoding.ts';
import { type LanguageGraphs, languageWeights } from '../language-weights.ts';
import { buildT5Decoder } from './t5-decoder-graph.ts';
import { buildT5Cross, buildT5Encoder } from './t5-encoder-graph.ts';
import {
  cacheSizeOf,
  forwardT5,
  type Seq2SeqLMInputs,
  type Seq2SeqLMOptions,
  type Seq2SeqLMOutput,
  startToken,
} from './t5-forward.ts';
import { createT5Parts, FINAL_STATES, STEPPING, type T5Parts } from './t5-sessions.ts';
import { t5Initializer, t5Tensors } from './t5-tensors.ts';
import { requireOneWordTable } from './t5-token-embeddings.ts';

/**
 * T5 with its language-model head, v1.0, v1.1 or Flan: the seam for decoding, and the full forward of the reference's
 * `T5ForConditionalGeneration`.
 * Relative positions count padding: rows padded on the right equal the same rows alone, but padding between image
 * tokens and text moves these apart.
 */
export interface T5ForConditionalGeneration extends LanguageModel {
  readonly architecture: 'seq2seq';
  readonly config: T5Config;
  /**
   * Scores every position of the decoder, or those that follow `pastKeyValues` as one run over all would.
   * @throws Blip2Error `INVALID_ARGUMENT` without ids or embeddings, with a past but no `decoderInputIds`, or where
   * labels need a start or pad token that the configuration lacks; `SHAPE_MISMATCH`.
   */
  forward(inputs: Seq2SeqLMInputs, options?: Seq2SeqLMOptions): Promise<Seq2SeqLMOutput>;
  /** Writes configuration and weights of the language model alone in the hub layout. Streams. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
  dispose(): Promise<void>;
}

/** Puts a T5 together from its configuration and weights. Nothing is loaded before it is used. */
export function createT5ForConditionalGeneration(
  config: T5Config,
  weights: PartWeights,
  options: PartOptions = {},
): T5ForConditionalGeneration {
  const sessions = lazySessions('language model', options);
  const parts = createT5Parts(config, weights, sessions);
  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
    await weights[Symbol.asyncDispose]();
  };
  return {
    config,
    architecture: 'seq2seq',
    embeddingSize: config.dModel,
    vocabularySize: config.vocabSize,
    // Relative positions have no end.
    maxPositions: Infinity,
    specialTokens: TextConfig.specialTokens(config),
    embed: parts.embed,
    start: (prompt) => start(config, parts, prompt),
    prepare: parts.prepare,
    forward: (inputs, forwardOptions = {}) => forwardT5(config, parts, inputs, forwardOptions),
    async savePretrained(folder, saveOptions) {
      const dtype = await savePartWeights(folder, weights, saveOptions);
      await writePartConfig(folder, T5Config.toJson(config), {
        modelType: config.modelType,
        architecture: ARCHITECTURE,
        dtype,
      });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function start(
  config: T5Config,
  parts: T5Parts,
  { inputsEmbeds, attentionMask, decoderInputIds }: Prompt,
): Promise<Decoding> {
  expectPrompt(attentionMask, inputsEmbeds.dims, Infinity);
  const first = decoderInputIds ?? attentionMask.map(() => [startToken(config)]);
  const { lastHiddenState } = await parts.encode(inputsEmbeds, attentionMask, FINAL_STATES);
  const memory = await parts.remember(lastHiddenState, attentionMask);
  return startSeq2SeqDecoding(
    { cacheSize: cacheSizeOf(config), maxPositions: Infinity, embed: parts.embed, step: parts.step },
    memory,
    first,
  );
}

/** Where the language model lies in a whole model's checkpoint. */
const PATH = 'language_model';
/** The reference's class for the language model alone. */
const ARCHITECTURE = 'T5ForConditionalGeneration';

async function fromPretrained(
  source: string,
  options: PartOptions & ResolveOptions & ConversionOptions = {},
): Promise<T5ForConditionalGeneration> {
  const folder = await resolveSource(source, options);
  const config = T5Config.fromJson(await readConfig(folder), folder);
  const weights = await openPartWeights(folder, PATH);
  await requireOneWordTable(weights);
  return createT5ForConditionalGeneration(config, await atPrecision(config, weights, options), options);
}

function atPrecision(
  config: T5Config,
  weights: PartWeights,
  options: PartOptions & ConversionOptions,
): Promise<PartWeights> {
  return languageWeights(weights, options.dtype, t5Graphs(config), PATH, options);
}

/** The graphs that write text. */
export function t5Graphs(config: T5Config): LanguageGraphs {
  const few = (finder: WeightFinder, prefix: string): void => void buildT5Decoder(config, finder, prefix, STEPPING);
  const many = (finder: WeightFinder, prefix: string): void => {
    buildT5Encoder(config, finder, prefix, FINAL_STATES);
    buildT5Cross(config, finder, prefix);
    few(finder, prefix);
  };
  return { many, few };
}

async function fromConfig(
  config: T5Config,
  options: RandomWeightsOptions & PartOptions = {},
): Promise<T5ForConditionalGeneration> {
  const { initializer = t5Initializer(config) } = options;
  const weights = await createRandomPartWeights(t5Tensors(config, ''), initializer, options);
  return createT5ForConditionalGeneration(
    config,
    await atPrecision(config, weights, {
      ...(options.dtype && { dtype: options.dtype }),
      convertedDir: weights.store.folder,
    }),
    options,
  );
}

export const T5ForConditionalGeneration: {
  /** Loads T5 from a folder in the Hugging Face layout, of a whole BLIP-2 model or of the language model alone. */
  readonly fromPretrained: typeof fromPretrained;
  /** A T5 with random weights, in a temporary file that goes away with it. */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
