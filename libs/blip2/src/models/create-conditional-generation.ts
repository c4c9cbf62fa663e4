import {
  Blip2Config,
  type Blip2QFormerConfig,
  expectMembers,
  InstructBlipConfig,
  type ModelConfigParts,
} from '@blip2/config';
import { defined, expectKnownOptions, mustBe } from '@blip2/interfaces';
import type { CheckpointLanguageModel } from '@blip2/language';
import type { ProcessorSources } from '@blip2/processor';
import type { Blip2QFormerModel, LanguageProjection, TextConditionedQFormer } from '@blip2/qformer';
import type { CheckpointVisionEncoder } from '@blip2/vision';

import { noAdapters } from '../adapters/named-adapters.ts';
import type { ModelConfig } from '../checkpoint/model-config.ts';
import { saveParts } from '../checkpoint/save-parts.ts';
import { createCallQueue, type QueueOptions } from '../lifetime/call-queue.ts';
import { DisposalStack } from '../lifetime/disposal-stack.ts';
import { expectFit } from '../pipeline/expect-fit.ts';
import { type Blip2ForConditionalGeneration, connectBlip2Model } from './blip2-for-conditional-generation.ts';
import type { GenerationParts } from './conditional-generation.ts';
import {
  connectInstructBlipModel,
  type InstructBlipForConditionalGeneration,
} from './instructblip-for-conditional-generation.ts';

/** The parts of a whole model, of any family and from any checkpoint, or untrained. */
export interface WholeModelParts<QFormer = Blip2QFormerModel> {
  /** `loadVisionEncoder` of `@blip2/vision`, or `fromPretrained` or `fromConfig` of an encoder. */
  readonly vision: CheckpointVisionEncoder;
  /** BLIP-2's Q-Former, or with an instruction that of InstructBLIP. It determines the kind of model. */
  readonly qformer: QFormer;
  readonly projection: LanguageProjection;
  /** `loadLanguageModel` of `@blip2/language`, or `fromPretrained` or `fromConfig` of a language model. */
  readonly language: CheckpointLanguageModel;
}

export interface WholeModelOptions extends Pick<QueueOptions, 'maxWaiting'> {
  /** The id of one position of the visual prefix. Default: none, and images come before the text. */
  readonly imageTokenIndex?: number;
  /** Folder or Hub id of tokenizer and image processor, or one for each, whose files `savePretrained` copies. */
  readonly processor?: string | ProcessorSources;
}

const OPTIONS: Readonly<Record<keyof WholeModelOptions, true>> = {
  imageTokenIndex: true,
  processor: true,
  maxWaiting: true,
};

const PART = { config: 'object', forward: 'function', savePretrained: 'function' } as const;
const MEMBERS = {
  vision: { ...PART, encode: 'function' },
  qformer: { ...PART, query: 'function', queryTokens: 'object' },
  projection: { project: 'function', savePretrained: 'function' },
  language: { ...PART, embed: 'function', start: 'function' },
} as const;

const PART_NAMES = ['vision', 'qformer', 'projection', 'language'] as const;

/**
 * Builds a whole model from parts: `forward`, `loss`, `generate` and `savePretrained` for every combination. Disposing
 * of the model disposes of the parts.
 * @throws Blip2Error `SHAPE_MISMATCH` if the widths of adjacent parts differ; `INVALID_ARGUMENT` for a part that lacks
 * a member, such as one that implements only the interface of a part; `UNKNOWN_OPTION`.
 */
export function createConditionalGeneration(
  parts: WholeModelParts,
  options?: WholeModelOptions,
): Blip2ForConditionalGeneration;
export function createConditionalGeneration(
  parts: WholeModelParts<TextConditionedQFormer>,
  options?: WholeModelOptions,
): InstructBlipForConditionalGeneration;
export function createConditionalGeneration(
  parts: WholeModelParts | WholeModelParts<TextConditionedQFormer>,
  options: WholeModelOptions = {},
): Blip2ForConditionalGeneration | InstructBlipForConditionalGeneration {
  expectKnownOptions('createConditionalGeneration', options, Object.keys(OPTIONS));
  expectMembers('parts', parts, { vision: 'object', qformer: 'object', projection: 'object', language: 'object' });
  for (const name of PART_NAMES) expectMembers(name, parts[name], MEMBERS[name]);
  expectFit(parts);
  return isForText(parts)
    ? connectInstructBlipModel(wholeModel(parts, composed(InstructBlipConfig, parts, options), options))
    : connectBlip2Model(wholeModel(parts as WholeModelParts, composed(Blip2Config, parts, options), options));
}

function isForText(
  parts: WholeModelParts | WholeModelParts<TextConditionedQFormer>,
): parts is WholeModelParts<TextConditionedQFormer> {
  if (parts.qformer.conditioning === 'none') return false;
  // A retrieval Q-Former takes text too, but no language model was trained after it, and HF has no class for it.
  if (parts.qformer.config.modelType === 'instructblip_qformer') return true;
  throw mustBe('qformer', 'that of a BLIP-2 model with a language model, or of InstructBLIP', parts.qformer);
}

/** The configuration of a model with these parts. */
function composed<C extends ModelConfigParts & { readonly numQueryTokens: number }>(
  { create }: { create(values: Partial<C>): C },
  {
    vision,
    qformer,
    language,
  }: WholeModelParts<{ readonly config: Blip2QFormerConfig; readonly numQueryTokens: number }>,
  { imageTokenIndex }: WholeModelOptions,
): C {
  const values: Partial<ModelConfigParts> & { numQueryTokens: number; imageTokenIndex?: number } = {
    visionConfig: vision.config,
    qformerConfig: qformer.config,
    textConfig: language.config,
    numQueryTokens: qformer.numQueryTokens,
    ...defined({ imageTokenIndex }),
  };
  // Both kinds of whole models have these members.
  return create(values as Partial<C>);
}

function wholeModel<C extends ModelConfig, QFormer extends WholeModelParts<unknown>['qformer']>(
  parts: WholeModelParts<QFormer & { savePretrained: Blip2QFormerModel['savePretrained'] } & AsyncDisposable>,
  config: C,
  { processor, ...queue }: WholeModelOptions,
): GenerationParts<C, QFormer> {
  const { vision, qformer, projection, language } = parts;
  const owned = new DisposalStack();
  for (const part of [vision, qformer, projection, language]) owned.use(part);
  const sources = typeof processor === 'string' ? { images: processor, text: processor } : processor;
  return {
    config,
    queue: createCallQueue(defined({ maxWaiting: queue.maxWaiting })),
    vision,
    qformer,
    projection,
    language,
    setAdapters: noAdapters,
    savePretrained: (target, options) => saveParts(parts, config, target, options, sources),
    dispose: async () => owned[Symbol.asyncDispose](),
  };
}
