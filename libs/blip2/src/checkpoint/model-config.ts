import { Blip2Config, type ConfigFormat, InstructBlipConfig } from '@blip2/config';

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

/** Reads configurations of one kind of whole model, and changes them. */
export type ConfigReader<C> = Pick<ConfigFormat<C>, 'fromJson' | 'create'>;

/** Reads the configuration of a whole model of either kind, according to its `model_type`. */
export const anyModelConfig: ConfigReader<ModelConfig> = {
  fromJson: (json, where) =>
    Object(json).model_type === 'instructblip'
      ? InstructBlipConfig.fromJson(json, where)
      : Blip2Config.fromJson(json, where),
  create(values = {}) {
    const { modelType } = values;
    // Either kind has the members of the other that `values` may contain.
    return modelType === 'instructblip'
      ? InstructBlipConfig.create(values as Partial<InstructBlipConfig>)
      : Blip2Config.create(values as Partial<Blip2Config>);
  },
};
