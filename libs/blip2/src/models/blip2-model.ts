import type { Blip2Config } from '@blip2/config';
import { Blip2Error, type HiddenStates, type PixelValues } from '@blip2/interfaces';
import type { CausalLMOptions, Seq2SeqLMInputs } from '@blip2/language';
import { expectForwardOptions } from '@blip2/part';
import type { QFormerOutput } from '@blip2/qformer';
import type { OptionallyPooledOutput, VisionForwardOptions } from '@blip2/vision';

import type { ModelSources } from '../checkpoint/model-sources.ts';
import { type CheckpointParts, openCheckpointParts } from '../parts/checkpoint-parts.ts';
import { expectImageInputs, PROMPT_INPUTS } from '../pipeline/image-inputs.ts';
import { assembleBlip2, type Blip2ForConditionalGeneration } from './blip2-for-conditional-generation.ts';
import type { ForwardOptions } from './forward-options.ts';
import type { LanguageModelOutput } from './forward-prompt.ts';
import { createModelLoader, type ModelLoader } from './model-loader.ts';

/** Images as the image processor returns them. */
export interface ImageInputs {
  /** `[batch, 3, height, width]`. */
  readonly pixelValues: PixelValues;
}

/** Hidden states of a text: of a causal model, or of the encoder of a seq2seq model; with `logits`, if any. */
export type TextFeatures = LanguageModelOutput & { readonly lastHiddenState: HiddenStates };

/** The whole model with a feature getter per part. Source: `Blip2Model` of Hugging Face Transformers. */
export interface Blip2Model extends Blip2ForConditionalGeneration {
  /**
   * Output of the vision encoder, `lastHiddenState` `[batch, 1 + patches, visionHidden]`.
   * @throws Blip2Error `SHAPE_MISMATCH` for images of another size; `DISPOSED`.
   */
  getImageFeatures(inputs: ImageInputs, options?: VisionForwardOptions): Promise<OptionallyPooledOutput>;
  /**
   * Output of the Q-Former, `lastHiddenState` `[batch, queries, hidden]`.
   * @throws Blip2Error `SHAPE_MISMATCH` for images of another size; `DISPOSED`.
   */
  getQFormerFeatures(inputs: ImageInputs, options?: ForwardOptions): Promise<QFormerOutput>;
  /**
   * Output of the language model for a text without images, `lastHiddenState` `[batch, sequence, hidden]`. The decoder
   * of a seq2seq model only runs with decoder ids or labels.
   * @throws Blip2Error `INVALID_ARGUMENT` without ids and embeddings, or for ids beyond the vocabulary;
   * `SEQUENCE_TOO_LONG`; `SHAPE_MISMATCH`; `DISPOSED`.
   */
  getTextFeatures(inputs: Omit<Seq2SeqLMInputs, 'pastKeyValues'>, options?: CausalLMOptions): Promise<TextFeatures>;
}

/** The getters read the images among the outputs of a processor. */
const IMAGE_INPUTS: readonly string[] = PROMPT_INPUTS;

async function assemble(parts: CheckpointParts): Promise<Blip2Model> {
  const model = await assembleBlip2(parts);
  return {
    ...model,
    getImageFeatures: parts.queue.wrap(
      (inputs: ImageInputs, options?: VisionForwardOptions) => model.visionModel.forward(inputs, options),
      (inputs) => expectImageInputs('getImageFeatures', inputs, IMAGE_INPUTS),
    ),
    getQFormerFeatures: parts.queue.wrap(
      async (inputs: ImageInputs, { interpolatePosEncoding = false, ...outputs }: ForwardOptions = {}) =>
        model.qformer.forward(
          { encoderHiddenStates: await model.visionModel.encode(inputs.pixelValues, { interpolatePosEncoding }) },
          outputs,
        ),
      (inputs, options) => {
        expectImageInputs('getQFormerFeatures', inputs, IMAGE_INPUTS);
        expectForwardOptions('getQFormerFeatures', options, [
          'outputHiddenStates',
          'outputAttentions',
          'interpolatePosEncoding',
          'useCache',
        ]);
      },
    ),
    getTextFeatures: parts.queue.wrap(
      async (inputs: Omit<Seq2SeqLMInputs, 'pastKeyValues'>, options?: CausalLMOptions) => {
        const { languageModel } = model;
        if (languageModel.architecture === 'causal') return languageModel.forward(inputs, options);
        const outputs = await languageModel.forward(inputs, options);
        const { encoderLastHiddenState: lastHiddenState } = outputs;
        if (!lastHiddenState)
          throw new Blip2Error('SESSION_FAILED', 'The encoder returned no hidden states', {
            where: 'languageModel.forward',
          });
        return { ...outputs, lastHiddenState };
      },
    ),
  };
}

export const Blip2Model: ModelLoader<string | ModelSources, Blip2Config, Blip2Model> = createModelLoader(
  openCheckpointParts,
  assemble,
);
