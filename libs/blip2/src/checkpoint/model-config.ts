import { Blip2Config, InstructBlipConfig } from '@blip2/config';

/** The configuration of a whole model, discriminated by `modelType`. */
export type ModelConfig = Blip2Config | InstructBlipConfig;

/** The contents of `config.json`, with the class that Hugging Face Transformers loads it as. */
export function configJson(config: ModelConfig, dtype?: string, architecture?: string): Record<string, unknown> {
  const instruct = config.modelType === 'instructblip';
  const json = instruct ? InstructBlipConfig.toJson(config) : Blip2Config.toJson(config);
  return {
    architectures: [instruct ? 'InstructBlipForConditionalGeneration' : 'Blip2ForConditionalGeneration'],
    ...json,
    ...(architecture !== undefined && { architectures: [architecture] }),
    ...(dtype !== undefined && { torch_dtype: dtype, ...('dtype' in json && { dtype }) }),
  };
}
