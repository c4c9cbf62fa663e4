import { defineModelConfig, type ModelConfigParts, type ModelFields } from './define-model-config.ts';
import type { Blip2QFormerConfig } from './qformer-config.ts';
import type { ConfigFormat } from './schema/define-config.ts';
import type { FieldTable } from './schema/field-table.ts';
import { count, deviation, flag, tokenId } from './schema/field-types.ts';
import { MAX_QUERY_TOKENS, MAX_WIDTH } from './schema/limits.ts';
import type { TextConfig } from './text/text-config.ts';
import type { VisionConfig } from './vision/vision-families.ts';

interface Blip2Fields extends ModelFields {
  /** Width of the retrieval projections. */
  readonly imageTextHiddenSize: number;
}

/** A full BLIP-2 model (HF `Blip2Config`). */
export interface Blip2Config extends Blip2Fields, ModelConfigParts {
  readonly modelType: 'blip-2';
}

/** Names on disk, defaults and bounds. Source: `models/blip_2/configuration_blip_2.py`, transformers 5.18. */
const fields: FieldTable<Blip2Fields> = {
  numQueryTokens: count('num_query_tokens', 32, MAX_QUERY_TOKENS),
  imageTokenIndex: tokenId('image_token_index', undefined, ['image_token_id']),
  imageTextHiddenSize: count('image_text_hidden_size', 256, MAX_WIDTH),
  initializerFactor: deviation('initializer_factor', 1),
  initializerRange: deviation('initializer_range', 0.02),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

const format: ConfigFormat<Blip2Config> = defineModelConfig<Blip2Config, Blip2Fields>({
  modelType: 'blip-2',
  fields,
});

function fromVisionQFormerTextConfigs(
  visionConfig: VisionConfig,
  qformerConfig: Blip2QFormerConfig,
  textConfig: TextConfig,
  overrides: Partial<Blip2Config> = {},
): Blip2Config {
  return format.create({ ...overrides, visionConfig, qformerConfig, textConfig });
}

export const Blip2Config: ConfigFormat<Blip2Config> & {
  /** Composes three parts. */
  readonly fromVisionQFormerTextConfigs: typeof fromVisionQFormerTextConfigs;
  /** The same, under the name that the example in the HF documentation uses. */
  readonly fromTextVisionConfigs: typeof fromVisionQFormerTextConfigs;
} = { ...format, fromVisionQFormerTextConfigs, fromTextVisionConfigs: fromVisionQFormerTextConfigs };
