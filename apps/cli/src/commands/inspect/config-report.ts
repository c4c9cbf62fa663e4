import type { ModelConfig } from '@blip2/blip2';
import { textFamily, type TextSizes } from '@blip2/config';
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
  const { imageSize, patchSize } = visionConfig;
  const sizes = {
    layers: { vision: visionConfig.numHiddenLayers, qformer: qformerConfig.numHiddenLayers },
    hiddenSizes: { vision: visionConfig.hiddenSize, qformer: qformerConfig.hiddenSize },
  };
  const image = { size: imageSize, patchSize, patches: Math.floor(imageSize / patchSize) ** 2 };
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

/** Sizes of a language model of any family. */
export function languageSizes(config: ModelConfig['textConfig']): TextSizes {
  return textFamily(config.modelType).sizes(config);
}
