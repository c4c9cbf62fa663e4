import { languageTensors } from '@blip2/language';
import type { RecordedWeight } from '@blip2/onnx';
import {
  instructBlipQFormerLayout,
  languageProjectionTensors,
  qformerTensors,
  textEmbeddingsTensors,
} from '@blip2/qformer';
import { visionTensors } from '@blip2/vision';

import type { ModelConfig } from './model-config.ts';

/** Every tensor of a whole model's checkpoint, tied ones once, in the order of the parts. */
export function modelTensors({
  modelType,
  visionConfig,
  qformerConfig,
  textConfig,
  numQueryTokens,
}: ModelConfig): RecordedWeight[] {
  const { qformer, embeddings, norm } = instructBlipQFormerLayout;
  const size = {
    inFeatures: qformerConfig.hiddenSize,
    outFeatures: textConfig.hiddenSize,
  };
  return [
    { name: 'query_tokens', shape: [1, numQueryTokens, qformerConfig.hiddenSize] },
    ...visionTensors(visionConfig, 'vision_model'),
    ...(modelType === 'instructblip'
      ? [
          ...textEmbeddingsTensors(qformerConfig, embeddings),
          ...qformerTensors(qformerConfig, qformer, { norm, text: true }),
        ]
      : qformerTensors(qformerConfig, 'qformer')),
    ...languageProjectionTensors(size, 'language_projection'),
    ...languageTensors(textConfig, 'language_model'),
  ];
}
