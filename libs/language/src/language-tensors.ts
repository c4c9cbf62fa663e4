import type { TextConfig } from '@blip2/config';
import type { RecordedWeight } from '@blip2/onnx';
import { type InitializeTensor, transformerInitializer } from '@blip2/part';

import { llamaTensors } from './llama/llama-graph.ts';
import { optTensors } from './opt/opt-graph.ts';
import { t5Initializer, t5Tensors } from './t5/t5-tensors.ts';

/** Every tensor of a language model's checkpoint, by name and shape, whichever of the known ones it is. */
export function languageTensors(config: TextConfig, prefix: string): RecordedWeight[] {
  switch (config.modelType) {
    case 'opt':
      return optTensors(config, prefix);
    case 't5':
      return t5Tensors(config, prefix);
    case 'llama':
      return llamaTensors(config, prefix);
  }
}

/** How its weights begin, as the reference's `_init_weights` begins them. */
export function languageInitializer(config: TextConfig): InitializeTensor {
  switch (config.modelType) {
    case 'opt':
      return transformerInitializer(config.initStd);
    case 't5':
      return t5Initializer(config);
    case 'llama':
      return transformerInitializer(config.initializerRange);
  }
}
