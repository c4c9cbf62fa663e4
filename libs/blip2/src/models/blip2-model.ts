import type { Blip2Config } from '@blip2/config';
import { Blip2Error, type HiddenStates, type PixelValues } from '@blip2/interfaces';
import type { CausalLMOptions, Seq2SeqLMInputs } from '@blip2/language';
import type { QFormerOutput } from '@blip2/qformer';
import type { VisionOutput } from '@blip2/vision';

import type { ModelSources } from '../checkpoint/model-sources.ts';
import { type CheckpointParts, openCheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { openRandomParts, type RandomOptions } from '../parts/random-parts.ts';
import {
  assembleConditionalGeneration,
  type Blip2ForConditionalGeneration,
  type ForwardOptions,
} from './blip2-for-conditional-generation.ts';
import type { LanguageModelOutput } from './forward-prompt.ts';

/** Images as the image processor gives them. */
export interface ImageInputs {
  /** `[batch, 3, height, width]`. */
  readonly pixelValues: PixelValues;
}

/** The states of a text: those of a causal model, or of a seq2seq model's encoder, whichever `logits` there are. */
export type TextFeatures = LanguageModelOutput & { readonly lastHiddenState: HiddenStates };

/**
 * The model of the documentation's feature examples (`Blip2Model` of the reference): the whole model, and a getter per
 * part.
 */
export interface Blip2Model extends Blip2ForConditionalGeneration {
  /**
   * What the vision encoder says of images, `lastHiddenState` `[batch, 1 + patches, visionHidden]`. @throws Blip2Error
   * `SHAPE_MISMATCH` for another size; `DISPOSED`.
   */
  getImageFeatures(inputs: ImageInputs, options?: ForwardOptions): Promise<VisionOutput>;
  /**
   * What the Q-Former says of images, `lastHiddenState` `[batch, queries, hidden]`. @throws Blip2Error `SHAPE_MISMATCH`
   * for another size; `DISPOSED`.
   */
  getQFormerFeatures(inputs: ImageInputs, options?: ForwardOptions): Promise<QFormerOutput>;
  /**
   * What the language model says of a text without any image, `lastHiddenState` `[batch, sequence, hidden]`. A seq2seq
   * model's decoder runs only if it is given ids or labels.
   * @throws Blip2Error `INVALID_ARGUMENT` without ids or embeddings, or for ids beyond the vocabulary;
   * `SEQUENCE_TOO_LONG`; `SHAPE_MISMATCH`; `DISPOSED`.
   */
  getTextFeatures(inputs: Omit<Seq2SeqLMInputs, 'pastKeyValues'>, options?: CausalLMOptions): Promise<TextFeatures>;
}

async function assemble(parts: CheckpointParts): Promise<Blip2Model> {
  const model = await assembleConditionalGeneration(parts);
  return {
    ...model,
    getImageFeatures: ({ pixelValues }, options) => model.visionModel.forward({ pixelValues }, options),
    async getQFormerFeatures({ pixelValues }, { interpolatePosEncoding = false, ...options } = {}) {
      return model.qformer.forward(
        { encoderHiddenStates: await model.visionModel.encode(pixelValues, { interpolatePosEncoding }) },
        options,
      );
    },
    async getTextFeatures(inputs, options) {
      const { languageModel } = model;
      if (languageModel.architecture === 'causal') return languageModel.forward(inputs, options);
      const outputs = await languageModel.forward(inputs, options);
      const { encoderLastHiddenState: lastHiddenState } = outputs;
      if (!lastHiddenState)
        throw new Blip2Error('SESSION_FAILED', 'The encoder gave no states', { where: 'languageModel.forward' });
      return { ...outputs, lastHiddenState };
    },
  };
}

async function fromPretrained(source: string | ModelSources, options: LoadOptions = {}): Promise<Blip2Model> {
  return assemble(await openCheckpointParts(source, options));
}

async function fromConfig(config: Blip2Config, options: RandomOptions & LoadOptions = {}): Promise<Blip2Model> {
  return assemble(await openRandomParts(config, options));
}

export const Blip2Model: {
  /**
   * Loads a folder in the Hugging Face layout or with the names of LAVIS, a hub id, or one of these for each part.
   * Weights are read when a part is first used.
   * @throws Blip2Error `MISSING_WEIGHT` if any is missing; `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`,
   * `UNSUPPORTED_DEVICE` for options;
   * `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_CHECKPOINT`, `UNSUPPORTED_ARCHITECTURE` for what the source holds; of a
   * hub id also `NOT_FOUND`,
   * `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`.
   */
  readonly fromPretrained: typeof fromPretrained;
  /**
   * A model with random weights, in a temporary file that goes away with it.
   * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`, `UNSUPPORTED_DEVICE` for options;
   * `WRITE_FAILED`.
   */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
