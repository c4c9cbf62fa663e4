import type { Blip2Config } from '@blip2/config';
import { Blip2Error } from '@blip2/interfaces';
import { optTensors } from '@blip2/language';
import type { RecordedWeight } from '@blip2/onnx';
import { languageProjectionTensors, qformerTensors } from '@blip2/qformer';
import { visionTensors } from '@blip2/vision';

/** Every tensor of a whole model's checkpoint, tied ones once, in the order of the parts. */
export function modelTensors({ visionConfig, qformerConfig, textConfig, numQueryTokens }: Blip2Config): RecordedWeight[] {
  if (textConfig.modelType !== 'opt') {
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'This language model is not supported yet', { expected: 'opt', got: textConfig.modelType });
  }
  const size = { inFeatures: qformerConfig.hiddenSize, outFeatures: textConfig.hiddenSize };
  return [
    { name: 'query_tokens', shape: [1, numQueryTokens, qformerConfig.hiddenSize] },
    ...visionTensors(visionConfig, 'vision_model'),
    ...qformerTensors(qformerConfig, 'qformer'),
    ...languageProjectionTensors(size, 'language_projection'),
    ...optTensors(textConfig, 'language_model'),
  ];
}
