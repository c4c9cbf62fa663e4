import type { ModelConfig, SinglePart } from '@blip2/blip2';
import { textFamily, type TextSizes, type VisionConfig } from '@blip2/config';
import { defined } from '@blip2/interfaces';

import type { CheckpointReport } from './checkpoint-report.ts';

/** Name of the architecture in `config.json`; `undefined` if the file does not have one. */
export function architectureOf(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  if ('architectures' in json && Array.isArray(json.architectures) && typeof json.architectures[0] === 'string')
    return json.architectures[0];
  return 'model_type' in json && typeof json.model_type === 'string' ? json.model_type : undefined;
}

/** Sizes of the model according to its configuration. */
export function configReport(config: ModelConfig, hasLanguageModel: boolean): Partial<CheckpointReport> {
  const { visionConfig, qformerConfig, textConfig, numQueryTokens } = config;
  const sizes = {
    layers: { vision: visionConfig.numHiddenLayers, qformer: qformerConfig.numHiddenLayers },
    hiddenSizes: { vision: visionConfig.hiddenSize, qformer: qformerConfig.hiddenSize },
  };
  const image = imageReport(visionConfig);
  if (!hasLanguageModel) return { image, tokens: { queries: numQueryTokens }, ...sizes };
  const { layers, maxPositions } = languageSizes(textConfig);
  return {
    languageModel: textConfig.modelType,
    image,
    tokens: {
      queries: numQueryTokens,
      vocabulary: textConfig.vocabSize,
      ...defined({ positions: maxPositions }),
    },
    layers: { ...sizes.layers, language: layers },
    hiddenSizes: { ...sizes.hiddenSizes, language: textConfig.hiddenSize },
  };
}

function imageReport({ imageSize, patchSize }: VisionConfig): NonNullable<CheckpointReport['image']> {
  return { size: imageSize, patchSize, patches: Math.floor(imageSize / patchSize) ** 2 };
}

/** Sizes of a part that is a checkpoint of its own. */
export function partConfigReport(single: SinglePart): Partial<CheckpointReport> {
  if (single.part === 'vision') {
    const { numHiddenLayers, hiddenSize } = single.config;
    return {
      image: imageReport(single.config),
      layers: { vision: numHiddenLayers },
      hiddenSizes: { vision: hiddenSize },
    };
  }
  const { layers, maxPositions } = languageSizes(single.config);
  const { modelType, vocabSize, hiddenSize } = single.config;
  return {
    languageModel: modelType,
    tokens: { vocabulary: vocabSize, ...defined({ positions: maxPositions }) },
    layers: { language: layers },
    hiddenSizes: { language: hiddenSize },
  };
}

/** Sizes of a language model of any family. */
export function languageSizes(config: ModelConfig['textConfig']): TextSizes {
  return textFamily(config.modelType).sizes(config);
}
