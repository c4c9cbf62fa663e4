import type { Blip2Config } from '@blip2/config';
import { languageTensors } from '@blip2/language';
import type { RecordedWeight } from '@blip2/onnx';
import { languageProjectionTensors, qformerTensors } from '@blip2/qformer';
import { visionTensors } from '@blip2/vision';

/** Every tensor of a whole model's checkpoint, tied ones once, in the order of the parts. */
export function modelTensors({ visionConfig, qformerConfig, textConfig, numQueryTokens }: Blip2Config): RecordedWeight[] {
  const size = { inFeatures: qformerConfig.hiddenSize, outFeatures: textConfig.modelType === 't5' ? textConfig.dModel : textConfig.hiddenSize };
  return [
    { name: 'query_tokens', shape: [1, numQueryTokens, qformerConfig.hiddenSize] },
    ...visionTensors(visionConfig, 'vision_model'),
    ...qformerTensors(qformerConfig, 'qformer'),
    ...languageProjectionTensors(size, 'language_projection'),
    ...languageTensors(textConfig, 'language_model'),
  ];
}
