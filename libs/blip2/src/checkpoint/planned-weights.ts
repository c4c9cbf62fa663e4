import type { PlannedWeight, PrecisionChoice, WeightStore } from '@blip2/interfaces';
import { planLanguage } from '@blip2/language';
import { partWeights } from '@blip2/part';
import { blip2QFormerLayout, instructBlipQFormerLayout, planQFormer } from '@blip2/qformer';
import { planVision } from '@blip2/vision';

import type { ModelConfig } from './model-config.ts';

/** A file of converted weights. */
export interface PlannedFile {
  /** The part whose weights it contains. */
  readonly part: 'vision' | 'qformer' | 'language';
  /** Name, shape and precision of each, which determine its size. */
  readonly weights: readonly PlannedWeight[];
}

/**
 * The files of converted weights that loading a model at a precision creates: one per part, two for a language model at
 * `fast`, none for a part that is mapped in place. Nothing is converted: only names and shapes of the weights are used.
 * `store` has parameter names of the Hugging Face layout. A retrieval model has no language model.
 */
export function plannedFiles(config: ModelConfig, store: WeightStore, dtype: PrecisionChoice): PlannedFile[] {
  const { visionConfig, qformerConfig, textConfig } = config;
  const hasLanguageModel = [...store.tensors.keys()].some((name) => name.startsWith('language_model.'));
  const layout =
    config.modelType === 'instructblip' ? instructBlipQFormerLayout : hasLanguageModel ? undefined : blip2QFormerLayout;
  const file = (part: PlannedFile['part'], weights: readonly PlannedWeight[] | undefined): PlannedFile[] =>
    weights ? [{ part, weights }] : [];
  return [
    ...file('vision', planVision(visionConfig, partWeights(store, 'vision_model'), dtype)),
    ...file(
      'qformer',
      planQFormer(qformerConfig, partWeights(store, 'qformer'), dtype, layout && { norm: layout.norm, text: true }),
    ),
    ...(hasLanguageModel
      ? planLanguage(textConfig, partWeights(store, 'language_model'), dtype).flatMap((weights) =>
          file('language', weights),
        )
      : []),
  ];
}
