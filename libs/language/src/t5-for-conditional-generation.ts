import { readConfig, T5Config, TextConfig, writePartConfig } from '@blip2/config';
import {
  createRandomPartWeights, openPartWeights, resolveSource, savePartWeights, type ConversionOptions, type PartWeights, type RandomWeightsOptions, type ResolveOptions, type SaveOptions,
} from '@blip2/checkpoint';
import { Blip2Error, type Attentions, type Decoding, type HiddenStates, type LanguageModel, type Logits, type Prompt, type Rows, type Tensor, type TokenIds } from '@blip2/interfaces';
import type { WeightFinder } from '@blip2/onnx';
import { asRows, lazySessions, type PartOptions } from '@blip2/runtime';
import { crossEntropy, IGNORED_LABEL } from './cross-entropy.ts';
import { expectPrompt } from './expect-prompt.ts';
import { maskRows, promptEmbeddings, type PromptInputs } from './language-inputs.ts';
import { languageWeights } from './language-weights.ts';
import { startSeq2SeqDecoding } from './seq2seq-decoding.ts';
import { buildT5Decoder } from './t5-decoder-graph.ts';
import { buildT5Cross, buildT5Encoder } from './t5-encoder-graph.ts';
import { createT5Parts, STEPPING, type T5Parts } from './t5-parts.ts';
import { t5Initializer, t5Tensors } from './t5-tensors.ts';

export interface Seq2SeqLMInputs extends PromptInputs {
  /** Where the decoder begins, `[batch, target]`. Default: the labels behind the start token; without either, the encoder alone runs. */
  readonly decoderInputIds?: Rows;
  /** Default: every position counts. */
  readonly decoderAttentionMask?: Rows;
  /** One id per decoder position, −100 for "does not count"; position `i` is judged by label `i`. */
  readonly labels?: Rows;
}

export interface Seq2SeqLMOptions {
  readonly outputHiddenStates?: boolean;
  readonly outputAttentions?: boolean;
}

/** Hidden states are the embeddings, then each layer's result, the last one after the final norm; attentions are the probabilities of each layer. */
export interface Seq2SeqLMOutput {
  /** `[batch, target, vocabulary]`; absent, as all of the decoder's, where it did not run. */
  readonly logits?: Logits;
  /** Mean cross-entropy of the labels, `[1]`. */
  readonly loss?: Tensor<'float32', [1]>;
  /** The decoder's, after its final norm, `[batch, target, hidden]`. */
  readonly lastHiddenState?: HiddenStates;
  readonly decoderHiddenStates?: readonly HiddenStates[];
  /** `[batch, heads, target, target]`. */
  readonly decoderAttentions?: readonly Attentions[];
  /** `[batch, heads, target, source]`. */
  readonly crossAttentions?: readonly Attentions[];
  /** After the encoder's final norm, `[batch, source, hidden]`. */
  readonly encoderLastHiddenState: HiddenStates;
  readonly encoderHiddenStates?: readonly HiddenStates[];
  /** `[batch, heads, source, source]`. */
  readonly encoderAttentions?: readonly Attentions[];
}

/**
 * T5 with its language-model head, v1.0, v1.1 or Flan: the seam for decoding, and the full forward of the reference's `T5ForConditionalGeneration`.
 * Relative positions count padding: rows padded on the right equal the same rows alone, but padding between image tokens and text moves these apart.
 */
export interface T5ForConditionalGeneration extends LanguageModel {
  readonly architecture: 'seq2seq';
  readonly config: T5Config;
  /**
   * Scores every position of the decoder.
   * @throws Blip2Error `INVALID_ARGUMENT` without ids or embeddings, or where labels need a start or pad token that the configuration lacks; `SHAPE_MISMATCH`.
   */
  forward(inputs: Seq2SeqLMInputs, options?: Seq2SeqLMOptions): Promise<Seq2SeqLMOutput>;
  /** Writes configuration and weights of the language model alone in the hub layout. Streams. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
  dispose(): Promise<void>;
}

const FINAL_STATES = { hiddenStates: false, attentions: false } as const;

/** Puts a T5 together from its configuration and weights. Nothing is loaded before it is used. */
export function createT5ForConditionalGeneration(config: T5Config, weights: PartWeights, options: PartOptions = {}): T5ForConditionalGeneration {
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
    forward: (inputs, forwardOptions = {}) => forward(config, parts, inputs, forwardOptions),
    async savePretrained(folder, saveOptions) {
      const dtype = await savePartWeights(folder, weights, saveOptions);
      await writePartConfig(folder, T5Config.toJson(config), { modelType: config.modelType, architecture: ARCHITECTURE, dtype });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function start(config: T5Config, parts: T5Parts, { inputsEmbeds, attentionMask, decoderInputIds }: Prompt): Promise<Decoding> {
  expectPrompt(attentionMask, inputsEmbeds.dims, Infinity);
  const first = decoderInputIds ?? attentionMask.map(() => [startToken(config)]);
  const { lastHiddenState } = await parts.encode(inputsEmbeds, attentionMask, FINAL_STATES);
  const memory = await parts.remember(lastHiddenState, attentionMask);
  const cacheSize = { layers: config.numDecoderLayers, heads: config.numHeads, headSize: config.dKv };
  return startSeq2SeqDecoding({ cacheSize, maxPositions: Infinity, embed: parts.embed, step: parts.step }, memory, first);
}

async function forward(config: T5Config, parts: T5Parts, inputs: Seq2SeqLMInputs, options: Seq2SeqLMOptions): Promise<Seq2SeqLMOutput> {
  const request = { hiddenStates: options.outputHiddenStates ?? config.outputHiddenStates, attentions: options.outputAttentions ?? config.outputAttentions };
  const inputsEmbeds = await promptEmbeddings(inputs, parts.embed);
  const attentionMask = maskRows(inputs.attentionMask, inputsEmbeds);
  expectPrompt(attentionMask, inputsEmbeds.dims, Infinity);
  const encoder = await parts.encode(inputsEmbeds, attentionMask, request);
  const encoderOutputs = {
    encoderLastHiddenState: encoder.lastHiddenState,
    ...(encoder.hiddenStates && { encoderHiddenStates: encoder.hiddenStates }),
    ...(encoder.attentions && { encoderAttentions: encoder.attentions }),
  };
  const labels = inputs.labels && asRows(inputs.labels);
  const ids = inputs.decoderInputIds ? asRows(inputs.decoderInputIds) : labels && shiftRight(config, labels);
  if (!ids) return encoderOutputs;
  const decoderEmbeds = await parts.embed(ids);
  const decoderMask = maskRows(inputs.decoderAttentionMask, decoderEmbeds);
  expectPrompt(decoderMask, decoderEmbeds.dims, Infinity);
  const decoder = await parts.decode(decoderEmbeds, decoderMask, await parts.remember(encoder.lastHiddenState, attentionMask), request);
  return {
    logits: decoder.logits,
    ...(labels && { loss: crossEntropy(decoder.logits, labels) }),
    lastHiddenState: decoder.lastHiddenState,
    ...(decoder.hiddenStates && { decoderHiddenStates: decoder.hiddenStates }),
    ...(decoder.attentions && { decoderAttentions: decoder.attentions }),
    ...(decoder.crossAttentions && { crossAttentions: decoder.crossAttentions }),
    ...encoderOutputs,
  };
}

/** What the decoder reads to write the labels: the start token, then all labels but the last (`_shift_right` of the reference). */
function shiftRight(config: T5Config, labels: readonly TokenIds[]): TokenIds[] {
  const { padTokenId } = config;
  const first = startToken(config);
  if (padTokenId === undefined) throw missingToken('pad_token_id');
  return labels.map((row) => [first, ...row.slice(0, -1)].map((id) => (id === IGNORED_LABEL ? padTokenId : id)));
}

function startToken(config: T5Config): number {
  const { decoderStartTokenId } = TextConfig.specialTokens(config);
  if (decoderStartTokenId === undefined) throw missingToken('decoder_start_token_id');
  return decoderStartTokenId;
}

function missingToken(name: string): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', `The configuration has no ${name}`, { where: 'text_config', expected: name, got: 'nothing', fix: 'Give decoderInputIds' });
}

/** Where the language model lies in a whole model's checkpoint. */
const PATH = 'language_model';
/** The reference's class for the language model alone. */
const ARCHITECTURE = 'T5ForConditionalGeneration';

async function fromPretrained(source: string, options: PartOptions & ResolveOptions & ConversionOptions = {}): Promise<T5ForConditionalGeneration> {
  const folder = await resolveSource(source, options);
  const config = T5Config.fromJson(await readConfig(folder), folder);
  return createT5ForConditionalGeneration(config, await atPrecision(config, await openPartWeights(folder, PATH), options), options);
}

function atPrecision(config: T5Config, weights: PartWeights, options: PartOptions & ConversionOptions): Promise<PartWeights> {
  const few = (finder: WeightFinder, prefix: string): void => void buildT5Decoder(config, finder, prefix, STEPPING);
  const many = (finder: WeightFinder, prefix: string): void => {
    buildT5Encoder(config, finder, prefix, FINAL_STATES);
    buildT5Cross(config, finder, prefix);
    few(finder, prefix);
  };
  return languageWeights(weights, options.dtype, { many, few }, PATH, options);
}

async function fromConfig(config: T5Config, options: RandomWeightsOptions & PartOptions = {}): Promise<T5ForConditionalGeneration> {
  const { initializer = t5Initializer(config) } = options;
  const weights = await createRandomPartWeights(t5Tensors(config, ''), initializer, options);
  return createT5ForConditionalGeneration(config, await atPrecision(config, weights, { ...(options.dtype && { dtype: options.dtype }), convertedDir: weights.store.folder }), options);
}

export const T5ForConditionalGeneration: {
  /** Loads T5 from a folder in the Hugging Face layout, of a whole BLIP-2 model or of the language model alone. */
  readonly fromPretrained: typeof fromPretrained;
  /** A T5 with random weights, in a temporary file that goes away with it. */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
